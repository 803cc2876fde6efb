"""What the table of differences rests on: that a difference is seen, that only what is written down explains one, and
that a suite that did not run is none that passed.

    python3 -m unittest discover -s tests/interop
"""

import json
import pathlib
import sys
import tempfile
import types
import unittest

import outcomes

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "suites"), str(HERE.parent / "bench")]

import curl_cases  # noqa: E402
import exerciser  # noqa: E402
import rclone_cases  # noqa: E402
import steps  # noqa: E402


class Outcomes(unittest.TestCase):
    def test_pytest_s_report_is_read(self):
        text = (
            "<testsuites><testsuite><testcase classname='tests.a.TestB' name='c'/>"
            "<testcase classname='tests.a.TestB' name='d'><failure message='no&#10; such'>long</failure></testcase>"
            "<testcase classname='tests.a.TestB' name='e'><skipped message='not here'/></testcase>"
            "<testcase classname='tests.a.TestB' name='f'><error message='lost'/></testcase></testsuite></testsuites>"
        )
        expected = {"TestB.c": "ok", "TestB.d": "no such", "TestB.e": "skip: not here", "TestB.f": "lost"}
        self.assertEqual(outcomes.from_junit(text), expected)

    def test_a_failure_is_not_made_good_by_what_went_well_before(self):
        self.assertEqual(outcomes.from_lines("ok read 3\nnoise\nFAIL read two bytes\nok read 4\n"),
                         {"read": "two bytes"})

    def test_only_failures_of_the_audit_count(self):
        report = {"kex": [{"algorithm": "a", "notes": {"warn": ["old"]}}],
                  "key": [{"algorithm": "b", "notes": {"fail": ["broken"]}}]}
        self.assertEqual(outcomes.from_audit(report), {"kex.a": "ok", "key.b": "broken"})

    def test_one_part_of_a_case_that_failed_is_not_made_good_by_the_others(self):
        text = ("<testsuite><testcase classname='B' name='c'><failure message='no'/></testcase>"
                "<testcase classname='B' name='c'/></testsuite>")
        self.assertEqual(outcomes.from_junit(text), {"B.c": "no"})

    def states(self, suite, ours, reference):
        return {name: state for name, state, *_ in outcomes.remarkable(suite, ours, reference)}

    def test_differences_are_told_and_so_is_what_fails_at_both(self):
        ours = {"a": "ok", "b": "wrong", "c": "other words", "new": "bad", "fine": "ok", "left": "skip: why"}
        reference = {"a": "wrong", "b": "ok", "c": "words", "gone": "ok", "fine": "ok", "left": "skip"}
        different, both = outcomes.DIFFERENT, outcomes.FAILS_AT_BOTH
        self.assertEqual(self.states("x", ours, reference),
                         {"a": different, "b": different, "c": both, "gone": different, "new": different})

    def test_a_step_that_fails_at_both_is_told_when_all_of_it_is_the_same(self):
        ours = {"a": "said 1: no", "b": "said 0: fine"}
        self.assertEqual(self.states("x", ours, dict(ours)), {"a": outcomes.FAILS_AT_BOTH})

    def test_what_we_do_not_offer_is_nothing_against_us(self):
        self.assertEqual(self.states("ssh-audit", {}, {"kex.old": "broken"}), {})

    def test_the_audit_tells_of_a_failure_that_openssh_shares(self):
        same = {"kex.old": "broken"}
        self.assertEqual(self.states("ssh-audit", same, same), {"kex.old": outcomes.FAILS_AT_BOTH})

    def test_only_what_is_written_down_explains(self):
        known = {outcomes.DIFFERENT: {"x": {"b*": "reason", "old": "reason"}, "y": {"z": "reason"}}}
        done = {"x": ({"b1": "bad", "b2": "bad", "c": "bad", "d": "skip: big"}, {"b1": "ok", "b2": "bad", "c": "ok"})}
        lines, unexplained = outcomes.table(done, known)
        for line in ("UNEXPLAINED different: x c", "explained different: x b1", "UNEXPLAINED fails at both: x b2",
                     "not run: x    1 big", "no longer seen different: x old"):
            self.assertTrue(any(one.startswith(line) for one in lines), f"{line} in {lines}")
        # The fourth is the case that the reference does not have.
        self.assertEqual(unexplained, 3)
        self.assertFalse(any("y z" in line for line in lines))

    def test_a_suite_that_did_not_run_is_a_difference(self):
        self.assertEqual(outcomes.table({"x": ({}, {})}, {})[1], 1)


class Steps(unittest.TestCase):
    door = types.SimpleNamespace(root=pathlib.Path("/srv/r"), user="anna", key="k", known_hosts="h", port=22,
                                 net=types.SimpleNamespace(host="::1"))

    def said(self, text):
        return steps.plain(text, self.door, pathlib.Path("/work/place"))

    def test_what_differs_for_good_is_left_out(self):
        one = "-rw-r--r-- 1 anna anna 7 Nov 27 22:00 b\ndrwxr-xr-x 2 0 0 9 Nov 27 2025 .\n"
        one += "-rw------- 1 0 0 8 Jan  1 2001 a"
        other = "-rw------- 1 root root 8 Jan  1 10:00 a\n-rw-r--r-- 1 x y 7 Nov 27 22:01 b"
        self.assertEqual(self.said(one), self.said(other))
        self.assertEqual(self.said('cannot open "/srv/r/a"'), 'cannot open "/a"')

    def test_rights_sizes_names_and_words_are_seen(self):
        one = "-rw-r--r-- 1 0 0 7 Nov 27 22:00 b"
        for other in (one.replace("rw-r", "rwxr"), one.replace(" 7 ", " 8 "), one.replace("00 b", "00 c"), one + "\nx"):
            self.assertNotEqual(self.said(one), self.said(other))

    def test_a_changed_file_a_link_and_other_rights_are_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "a").write_bytes(b"1")
            states = [steps.tree(root)]
            (root / "a").write_bytes(b"2")
            states.append(steps.tree(root))
            (root / "a").chmod(0o600)
            states.append(steps.tree(root))
            (root / "l").symlink_to("a")
            states.append(steps.tree(root))
            self.assertEqual(len(set(states)), 4)
            (root / ".causeway-parts").mkdir()
            self.assertEqual(steps.tree(root), states[-1])

    def test_two_steps_that_went_well_but_differ_are_a_difference(self):
        found = list(outcomes.remarkable("clients", {"a": "said 0: x"}, {"a": "said 0: y"}))
        self.assertEqual(len(found), 1)


class CurlCases(unittest.TestCase):
    text = """<testcase>
<reply>
<data>
one
</data>
</reply>
<client>
<server>
sftp
</server>
 <name>
read
 </name>
 <command>
-u %USER: sftp://%HOSTIP:%SSHPORT%SSH_PWD/log/file%TESTNUMBER.txt
</command>
<setenv>
# For tests
HOME=%PWD/log
</setenv>
<file name="log/file%TESTNUMBER.txt">
one
</file>
</client>
<verify>
<errorcode>
9
</errorcode>
<file name="log/other%TESTNUMBER.txt">
two
</file>
</verify>
</testcase>
"""

    def case(self, text):
        return curl_cases.Case(text, {"TESTNUMBER": 600, "SSHPORT": 22, "SSH_PWD": "/srv"})

    def test_a_case_is_taken_apart(self):
        case = self.case(self.text)
        self.assertIsNone(case.left_out)
        self.assertEqual(case.errors, {9})
        self.assertEqual(case.environment, {"HOME": "%PWD/log"})
        self.assertEqual(case.stdout(), "one\n")
        self.assertEqual(list(case.files(case.client)), [("log/file600.txt", "one\n")])
        self.assertEqual(list(case.files(case.verify)), [("log/other600.txt", "two\n")])
        self.assertEqual(case.filled_in(case.first("command", case.client), HOSTIP="::1", USER="anna"),
                         "-u anna: sftp://::1:22/srv/log/file600.txt\n")

    def test_what_is_said_of_the_standard_output_counts_more_than_what_is_fetched(self):
        case = self.case(self.text.replace("<errorcode>", "<stdout>\nthree\n</stdout>\n<errorcode>"))
        self.assertEqual(case.stdout(), "three\n")
        self.assertEqual(self.case(self.text.replace("<verify>", "<verify>\n<stdout>\n</stdout>")).stdout(), "")
        self.assertIsNone(self.case(self.text.replace("<data>", '<data nocheck="yes">')).stdout())

    def test_what_needs_more_than_a_client_and_a_server_is_left_out(self):
        for old, new in (("sftp\n<", "sftp\nhttp\n<"), (" <name>", "<tool>\nlib600\n</tool>\n <name>")):
            self.assertIsNotNone(self.case(self.text.replace(old, new)).left_out)

    def test_one_other_letter_is_seen(self):
        self.assertIsNone(curl_cases.wrong("a\nb\n", "a\nb\n"))
        self.assertIn("+c", curl_cases.wrong("a\nb\n", "a\nc\n"))
        self.assertIsNotNone(curl_cases.wrong("a\n", "a"))


class RcloneCases(unittest.TestCase):
    def test_findings_of_one_line_and_of_several_are_read(self):
        text = ("// local\nescape = []rune{\n\t'/', 'x'\n}\nlength = 255 // for 1 byte\nlength = 127 // for 2 bytes\n"
                "canRead   = true\n")
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder, "json")
            report.write_text(json.dumps({"ControlCharacters": {"\x01": {"b": 1, "a": 2}}}))
            found = rclone_cases.from_info(text, report)
        self.assertEqual(found, {
            "info escape": "said 0: []rune{\n\t'/', 'x'\n}", "info length for 1 byte": "said 0: 255",
            "info length for 2 bytes": "said 0: 127", "info canRead": "said 0: true",
            "info character U+0001": 'said 0: {"a": 2, "b": 1}'})


class Exerciser(unittest.TestCase):
    def test_a_local_folder_is_right(self):
        with tempfile.TemporaryDirectory() as folder:
            model = exerciser.Model(folder, 1)
            for work in (model.write, model.append, model.truncate, model.read, model.rename, model.look):
                for name in exerciser.NAMES:
                    work(name)
            model.whole()

    def test_one_changed_byte_is_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            model = exerciser.Model(folder, 1)
            model.write("file-0")
            path = pathlib.Path(folder, "file-0")
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
            with self.assertRaisesRegex(AssertionError, "first other byte"):
                model.whole()


if __name__ == "__main__":
    unittest.main()
