"""Image names as runtimes read them, and which images exist here."""

from __future__ import annotations

import pytest

from sealane.sandbox.world.kubelet import images


@pytest.mark.parametrize(
    ("image", "repository", "tag", "full"),
    [
        ("nginx", "nginx", "latest", "docker.io/library/nginx:latest"),
        ("ollama/ollama:0.23.0", "ollama/ollama", "0.23.0", "docker.io/ollama/ollama:0.23.0"),
        ("docker.io/library/busybox:1", "busybox", "1", "docker.io/library/busybox:1"),
        ("localhost:5000/team/app", "team/app", "latest", "localhost:5000/team/app:latest"),
        ("ghcr.io/a/b/c:1@sha256:00", "a/b/c", "1", "ghcr.io/a/b/c:1"),
    ],
)
def test_names_are_taken_apart(image: str, repository: str, tag: str, full: str) -> None:
    assert images.repository(image) == repository
    assert images.tag(image) == tag
    assert images.full_name(image) == full


@pytest.mark.parametrize(
    ("image", "there"),
    [
        ("ollama/ollama:0.23.0", True),
        ("ollama/ollama:0.23.0-rc1", True),
        ("ollama/ollama:latest", True),
        ("ollama/ollama:newest-please", False),
        ("nginx/does-not-exist:1", False),
        ("ghcr.io/example/anything:7", True),
    ],
)
def test_images_exist_unless_they_say_otherwise(image: str, *, there: bool) -> None:
    assert images.exists(image) is there


def test_the_ollama_image_takes_six_to_eight_seconds() -> None:
    assert 6 <= images.seconds("ollama/ollama:0.23.0") <= 8


def test_sizes_and_digests_are_stable_and_differ() -> None:
    assert images.size("a/b") == images.size("a/b:2")
    assert images.digest("a/b") != images.digest("a/b:2")
    assert images.digest("nginx") == images.digest("docker.io/library/nginx:latest")


def test_a_node_has_what_it_pulled_and_no_other_node_does() -> None:
    held = images.Images()
    held.add("n", "nginx")
    assert held.has("n", "docker.io/library/nginx:latest")
    assert not held.has("m", "nginx")
