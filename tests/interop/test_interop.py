"""What the table of differences rests on: that a difference is seen, that only what is written down explains one, and
that a suite that did not run is none that passed.

    python3 -m unittest discover -s tests/interop
"""

import pathlib
import sys
import tempfile
import types
import unittest

import outcomes

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "suites"), str(HERE.parent / "bench")]

import exerciser  # noqa: E402
import steps  # noqa: E402


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
        found = list(outcomes.differences("clients", {"a": "said 0: x"}, {"a": "said 0: y"}))
        self.assertEqual(len(found), 1)


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
