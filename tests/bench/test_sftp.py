"""What the table of the SFTP benchmark rests on: a run without an equal copy gives no figure, ratios are to OpenSSH in
the same cell, and a wrong copy is seen."""

import importlib.machinery
import importlib.util
import pathlib
import tempfile
import unittest

import doors
import sftp_report
import sftp_targets


def load():
    """The script, which has no `.py`."""
    path = str(pathlib.Path(__file__).resolve().parent / "sftp")
    loader = importlib.machinery.SourceFileLoader("sftp_bench", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("sftp_bench", loader))
    loader.exec_module(module)
    return module


def run(rate, **more):
    return {"rate": rate, "server_cpu": 1.0, "exit": 0, "copy": "equal", "cut": False, **more}


class Rows(unittest.TestCase):
    def test_ratios_are_to_openssh_in_the_same_cell(self):
        ours = [run(30, server_cpu=0.5), run(10), run(20, server_cpu=0.4)]
        runs = {("loopback", "get-big", "sftp", "causeway"): ours,
                ("loopback", "get-big", "sftp", "openssh"): [run(10)],
                ("loopback", "get-big", "lftp", "openssh"): [run(1)]}
        row = sftp_report.rows(runs)[0]
        self.assertEqual((row["rate"], row["rate_ratio"], row["cpu_ratio"], row["state"]), (20, 2, 0.5, "equal"))

    def test_a_bad_copy_gives_no_figure_and_is_told(self):
        runs = {("loopback", "get-big", "sftp", "causeway"): [run(30, copy="DIFFERS")]}
        row = sftp_report.rows(runs)[0]
        self.assertIsNone(row["rate"])
        self.assertEqual(row["state"], "exit 0, DIFFERS")
        self.assertIn("–", sftp_report.cells(row))


class Targets(unittest.TestCase):
    target = sftp_targets.Target("t", "get-big", "sftp", "cpu", 0.5)
    cell = {"link": "loopback", "what": "get-big", "client": "sftp", "rate": 1.0}

    def test_less_cpu_is_better_and_shrunken_files_are_not_judged(self):
        self.assertEqual(sftp_targets.state(self.target, 0.4, 1), "met")
        self.assertEqual(sftp_targets.state(self.target, 0.6, 1), "missed by 20 %")
        self.assertEqual(sftp_targets.state(self.target, 0.4, 0.1), "shrunken files, not judged")

    def test_without_both_figures_nothing_is_met(self):
        ours = {**self.cell, "server": "causeway", "cpu": 0.2}
        self.assertIsNone(sftp_targets.measured(self.target, [ours]))
        theirs = {**self.cell, "server": "openssh", "cpu": 0.4}
        self.assertEqual(sftp_targets.measured(self.target, [ours, theirs]), 0.5)
        self.assertEqual(sftp_targets.state(self.target, None, 1), "not measured")


class Copies(unittest.TestCase):
    def test_missing_different_and_foreign_files_are_seen(self):
        bench = load()
        with tempfile.TemporaryDirectory() as lab:
            source, copy = pathlib.Path(lab, "a"), pathlib.Path(lab, "b")
            for folder in (source, copy):
                folder.mkdir()
                (folder / "same").write_text("x")
            self.assertEqual(bench.compare(source, copy), "equal")
            (source / "missing").write_text("x")
            (copy / "foreign").write_text("x")
            (copy / "same").write_text("y")
            self.assertEqual(bench.compare(source, copy), "2 DIFFER, 1 foreign")


class Versions(unittest.TestCase):
    def test_openssh_s_version_is_read(self):
        self.assertEqual(doors.version("OpenSSH_9.2p1 Debian-2, OpenSSL 3"), (9, 2))
        self.assertEqual(doors.version("?"), (0, 0))


if __name__ == "__main__":
    unittest.main()
