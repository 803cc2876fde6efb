"""What the benchmark's verdicts rest on: that a wrong copy is seen, a lie is called one, and a target is judged by the
figure that speaks most against us.

    python3 -m unittest discover -s tests/bench
"""

import pathlib
import tempfile
import types
import unittest

import matrix
import measure
import page
import report
import targets
import trees


def run(seconds, **more):
    return measure.Run(**{"seconds": seconds, "cpu": 1.0, "memory": 10 << 20, "exit": 0, "copy": "equal", **more})


class Copies(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        lab = pathlib.Path(self.scratch.name)
        self.tree = trees.make("SMALL", lab, 0.001)
        (lab / "other").mkdir()
        self.target = trees.make("SMALL", lab / "other", 0.001).root
        self.file = next(path for path in self.target.rglob("*.dat"))

    def test_the_same_tree_is_made_each_time(self):
        self.assertEqual(self.tree.files, 10)
        self.assertEqual(trees.compare(self.tree, self.target), "equal")
        self.assertEqual(trees.arrived(self.tree, self.target), 10)

    def test_one_byte_is_seen(self):
        data = bytearray(self.file.read_bytes())
        data[-1] ^= 1
        self.file.write_bytes(data)
        self.assertEqual(trees.compare(self.tree, self.target), "1 DIFFER")

    def test_a_missing_and_a_foreign_file_are_seen(self):
        self.file.rename(self.file.with_suffix(".partial"))
        self.assertEqual(trees.compare(self.tree, self.target), "1 missing, 1 foreign")

    def test_what_tools_keep_for_themselves_is_no_stranger(self):
        (self.target / ".listing").touch()
        (self.target / ".causeway-parts").mkdir()
        (self.target / ".causeway-parts" / "x").touch()
        self.assertEqual(trees.compare(self.tree, self.target), "equal")

    def test_other_times_are_said(self):
        self.file.touch()
        self.assertEqual(trees.compare(self.tree, self.target), "equal (1 times differ)")


class Verdicts(unittest.TestCase):
    def test_a_lie_is_called_one(self):
        self.assertFalse(run(1).lied)
        self.assertTrue(run(1, copy="3 missing").lied)
        self.assertTrue(run(1, exit=1).lied)
        self.assertFalse(run(1, exit=-9, copy="3 missing", cut=True).lied)
        self.assertIn("LIE", report.verdict(run(1, copy="3 missing")))

    def test_one_bad_copy_of_three_is_not_hidden_by_the_median(self):
        middle = measure.median([run(3), run(1, copy="1 DIFFER"), run(2)])
        self.assertEqual((middle.seconds, middle.copy), (2, "1 DIFFER"))

    def test_a_cut_run_is_projected_from_its_last_two_thirds(self):
        watch = measure.Watch(types.SimpleNamespace(pid=1), 0, 60, None)
        watch.looks = [(20, 0.1), (60, 0.5)]
        self.assertAlmostEqual(watch.projected(), 110)
        watch.looks = [(20, 0.5), (60, 0.5)]
        self.assertIsNone(watch.projected())


class Targets(unittest.TestCase):
    def table(self, ours, peers):
        cells = {matrix.Cell("SMALL", "rtt20", number, "causeway", "first"): done for number, done in ours.items()}
        for (tool, number), done in peers.items():
            cells[matrix.Cell("SMALL", "rtt20", number, tool, "first")] = done
        return cells

    def judge(self, at, table, metric="ratio", value=1.4, peer="any"):
        target = targets.Target("", "SMALL", "rtt20", "first", metric, value, at, peer)
        return targets.verdict(target, table, {"SMALL": {"bytes": 1_000_000}})

    def test_equal_connections_are_judged_by_the_worst(self):
        table = self.table({4: run(10), 8: run(10)}, {("lftp", 4): run(20), ("lftp", 8): run(12)})
        said = self.judge("equal", table, peer="lftp")
        self.assertAlmostEqual(said["measured"], 1.2)
        self.assertEqual(said["state"], "missed by 14 %")

    def test_without_flags_the_peers_have_their_best(self):
        table = self.table({None: run(5), 8: run(99)}, {("lftp", 8): run(10), ("rclone", None): run(50)})
        self.assertEqual(self.judge("default", table), {"measured": 2.0, "state": "met"})

    def test_a_bad_copy_of_ours_meets_no_target_and_one_of_a_peer_s_is_no_rival(self):
        peers = {("lftp", 4): run(1, copy="1 missing"), ("rclone", 4): run(30)}
        self.assertEqual(self.judge("equal", self.table({4: run(10)}, peers))["measured"], 3)
        bad = self.table({4: run(10, copy="1 missing")}, peers)
        self.assertEqual(self.judge("equal", bad)["state"], "not measured")

    def test_what_is_to_be_small_is_judged_by_the_largest(self):
        table = self.table({4: run(10, memory=30 << 20), 8: run(10, memory=60 << 20)}, {})
        self.assertEqual(self.judge("equal", table, "memory", 40 << 20)["state"], "missed by 50 %")


class Page(unittest.TestCase):
    def test_what_comes_from_outside_is_text(self):
        result = {"when": "<b>", "machine": {"cpus": 2, "memory_gib": 1, "kernel": "<i>"}, "tools": {}, "repeat": 1,
                  "limit": 1, "scale": 1, "sizes": {}, "rows": [], "targets": []}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "index.html")
            page.write(path, result)
            self.assertNotIn("<b>", path.read_text())
            self.assertNotIn("<i>", path.read_text())


if __name__ == "__main__":
    unittest.main()
