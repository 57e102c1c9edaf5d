from molgfn.config.resources import shipped_path


def test_vocabularies_lie_in_the_checkout_and_the_rest_in_the_package(repository):
    assert shipped_path("fragments") == repository / "fragments"
    assert shipped_path("proxies", "x") == repository / "molgfn" / "shipped" / "proxies" / "x"
