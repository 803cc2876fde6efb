"""What the table of differences rests on: that a difference is seen, that only what is written down explains one, and
that a suite that did not run is none that passed.

    python3 -m unittest discover -s tests/interop
"""

import pathlib
import sys
import tempfile
import unittest

import outcomes

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "suites"))

import exerciser  # noqa: E402


class Outcomes(unittest.TestCase):
    def test_pytest_s_report_is_read(self):
        text = (
            "<testsuites><testsuite><testcase classname='tests.a.TestB' name='c'/>"
            "<testcase classname='tests.a.TestB' name='d'><failure message='no&#10; such'>long</failure></testcase>"
            "<testcase classname='tests.a.TestB' name='e'><skipped/></testcase>"
            "<testcase classname='tests.a.TestB' name='f'><error message='lost'/></testcase></testsuite></testsuites>"
        )
        expected = {"TestB.c": "ok", "TestB.d": "no such", "TestB.e": "skip", "TestB.f": "lost"}
        self.assertEqual(outcomes.from_junit(text), expected)

    def test_a_failure_is_not_made_good_by_what_went_well_before(self):
        self.assertEqual(outcomes.from_lines("ok read 3\nnoise\nFAIL read two bytes\nok read 4\n"),
                         {"read": "two bytes"})

    def test_only_failures_of_the_audit_count(self):
        report = {"kex": [{"algorithm": "a", "notes": {"warn": ["old"]}}],
                  "key": [{"algorithm": "b", "notes": {"fail": ["broken"]}}]}
        self.assertEqual(outcomes.from_audit(report), {"kex.a": "ok", "key.b": "broken"})

    def test_differences_are_told_and_equal_failures_are_not(self):
        ours = {"a": "ok", "b": "wrong", "c": "other words", "new": "bad", "fine": "ok"}
        reference = {"a": "wrong", "b": "ok", "c": "words", "gone": "ok"}
        names = [name for name, _, _ in outcomes.differences("x", ours, reference)]
        self.assertEqual(names, ["a", "b", "gone", "new"])

    def test_what_we_do_not_offer_is_nothing_against_us(self):
        self.assertEqual(list(outcomes.differences("ssh-audit", {}, {"kex.old": "broken"})), [])

    def test_the_audit_has_no_failure_that_openssh_shares(self):
        same = {"kex.old": "broken"}
        self.assertEqual(list(outcomes.differences("ssh-audit", same, same)), [("kex.old", "broken", "broken")])

    def test_only_what_is_written_down_explains(self):
        known = {"x": {"b*": "reason"}}
        done = {"x": ({"b1": "bad", "c": "bad"}, {"b1": "ok", "c": "ok"})}
        lines, unexplained = outcomes.table(done, known)
        self.assertEqual(unexplained, 1)
        self.assertTrue(any(line.startswith("UNEXPLAINED x c") for line in lines))
        self.assertTrue(any(line.startswith("explained x b1") for line in lines))

    def test_a_suite_that_did_not_run_is_a_difference(self):
        self.assertEqual(outcomes.table({"x": ({}, {})}, {})[1], 1)


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
