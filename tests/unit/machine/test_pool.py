from molgfn.machine.pool import TaskQueue
from molgfn.machine.process import Task


def queue_of(keys, drawn):
    def tasks():
        for key in keys:
            drawn.append(key)
            yield Task(key, {}, 1.0)

    return TaskQueue(tasks())


def test_tasks_are_drawn_no_further_than_asked_for():
    drawn = []
    queue = queue_of("abc", drawn)
    assert drawn == []
    assert queue.holds(2)
    assert drawn == ["a", "b"]
    assert queue.holds(1)
    assert not queue.holds(4)
    assert drawn == ["a", "b", "c"]
    assert [queue.next().key for _ in range(3)] == ["a", "b", "c"]
    assert queue.next() is None


def test_a_task_put_back_comes_first_with_its_tries_counted():
    queue = queue_of("abc", [])
    queue.holds(2)
    task = queue.next()
    queue.put_back(task.again())
    again = queue.next()
    assert (again.key, again.tries, task.tries) == ("a", 1, 0)
    assert queue.next().key == "b"


def test_a_cleared_queue_is_empty_but_takes_tasks_back():
    queue = queue_of("abc", [])
    task = queue.next()
    queue.holds(1)
    queue.clear()
    assert not queue.holds(1)
    queue.put_back(task)
    assert queue.next() is task
