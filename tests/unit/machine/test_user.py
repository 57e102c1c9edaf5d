import platform

from molgfn.machine.user import user_at_host


def test_a_user_of_a_container_may_have_no_name(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    assert user_at_host() == f"ada@{platform.node()}"

    def no_passwd(_):
        raise KeyError("getpwuid(): uid not found: 12345")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_passwd)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    assert user_at_host() == f"uid12345@{platform.node()}"
