"""Guards of connectors of file systems elsewhere: SFTP, HTTP and what rclone speaks."""

from __future__ import annotations

from tests.faults.mutations.mutant import mutant

MUTANTS = (
    mutant(
        "sftp: the host key is checked",
        "tests/integration/connectors/filesystems/test_sftp.py::test_an_unknown_server_is_refused_with_its_fingerprints",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/session.py",
            "return fingerprint in trusted",
            "return True",
        ),
    ),
    mutant(
        "sftp: a changed host key is refused",
        "tests/integration/connectors/filesystems/test_sftp.py::test_a_server_with_other_keys_is_refused",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/session.py",
            "return fingerprint in trusted",
            "return True",
        ),
    ),
    mutant(
        "sftp: no link leads out",
        "tests/integration/connectors/filesystems/test_sftp.py::test_links_stay_inside",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/tree.py",
            "return real == self.root or real.startswith",
            "return True or real.startswith",
        ),
    ),
    mutant(
        "sftp: the fence before the name",
        "tests/integration/connectors/filesystems/test_sftp.py::test_an_attempt_that_wakes_up_late_writes_nothing",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/connector.py",
            "            if fence is not None:\n                fence.require()\n            self._give_name",
            "            self._give_name",
        ),
    ),
    mutant(
        "sftp: a successor removes what was begun",
        "tests/integration/connectors/filesystems/test_sftp.py::test_an_attempt_that_wakes_up_late_writes_nothing",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/connector.py",
            "for temporary in temporaries_until(name, fence):",
            "for temporary in ():",
        ),
    ),
    mutant(
        "sftp: only what is still ours is withdrawn",
        "tests/integration/connectors/filesystems/test_sftp.py::test_only_what_is_still_ours_is_withdrawn",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/connector.py",
            "                if self._digest(target) != digest:\n                    return False",
            "                if False:\n                    return False",
        ),
    ),
    mutant(
        "sftp: a file that changed while it was read",
        "tests/integration/connectors/filesystems/test_sftp.py::test_a_file_that_vanished_or_changed",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/tree.py",
            "(now := self._state()) != self._before or self._position != now.size",
            "False",
        ),
    ),
    mutant(
        "sftp: no file is replaced in two steps",
        "tests/integration/connectors/filesystems/test_sftp.py::test_a_server_that_cannot_replace_creates",
        (
            "connectors/src/docfleet/connectors/filesystems/sftp/connector.py",
            "            if self._digest(target) != digest:\n                raise",
            "            if False:\n                raise",
        ),
    ),
    mutant(
        "http: redirects stay on the host",
        "tests/integration/connectors/filesystems/test_http.py::test_redirects_stay_on_the_host",
        (
            "connectors/src/docfleet/connectors/filesystems/http/client.py",
            "            if not _stays(url, target):",
            "            if False:",
        ),
    ),
    mutant(
        "http: the identity of a file is its own",
        "tests/integration/connectors/filesystems/test_http.py::test_the_identity_of_a_file_changes_with_it_and_is_no_other_files",
        (
            "connectors/src/docfleet/connectors/filesystems/http/connector.py",
            '"\\0".join((url, *(',
            '"\\0".join((*(',
        ),
    ),
    mutant(
        "http: a file that changed while it was read",
        "tests/integration/connectors/filesystems/test_http.py::test_a_transfer_that_ends_early_or_changes_or_is_too_large",
        (
            "connectors/src/docfleet/connectors/filesystems/http/answers.py",
            "if self._stamp() != stamp_of(self._answer):",
            "if False:",
        ),
    ),
    mutant(
        "http: links elsewhere are no names",
        "tests/integration/connectors/filesystems/test_http.py::test_links_elsewhere_are_no_names",
        (
            "connectors/src/docfleet/connectors/filesystems/http/index.py",
            "if (there.scheme, there.netloc) != (here.scheme, here.netloc) or there.query:",
            "if False:",
        ),
    ),
    mutant(
        "rclone: another content of the same size and date is delivered",
        "tests/integration/connectors/filesystems/test_rclone.py::test_a_repeat_changes_nothing_and_another_content_replaces",
        (
            "connectors/src/docfleet/connectors/filesystems/rclone/connector.py",
            '"moveto", "--ignore-times", ',
            '"moveto", ',
        ),
    ),
    mutant(
        "rclone: the fence before the name",
        "tests/integration/connectors/filesystems/test_rclone.py::test_an_attempt_that_wakes_up_late_writes_nothing",
        (
            "connectors/src/docfleet/connectors/filesystems/rclone/connector.py",
            "fence.require()\n                if there is None",
            "pass\n                if there is None",
        ),
    ),
    mutant(
        "rclone: a child dies with its worker",
        "tests/integration/connectors/filesystems/test_rclone.py::test_nothing_secret_is_on_a_command_line_and_the_child_dies_with_its_worker",
        (
            "connectors/src/docfleet/connectors/filesystems/rclone/process.py",
            "preexec_fn=dying, ",
            "",
        ),
    ),
    mutant(
        "rclone: only what is still ours is withdrawn",
        "tests/integration/connectors/filesystems/test_rclone.py::test_only_what_is_still_ours_is_withdrawn",
        (
            "connectors/src/docfleet/connectors/filesystems/rclone/connector.py",
            "            if self._digest(parts) != digest:\n                return False",
            "            if False:\n                return False",
        ),
    ),
)
