"""What the table of the SFTP benchmark rests on: a run without an equal copy gives no figure, ratios are to OpenSSH in
the same cell, and a wrong copy is seen."""

import importlib.machinery
import importlib.util
import pathlib
import tempfile
import unittest

import copies
import costs
import doors
import promises
import sftp_clients
import sftp_report
import sftp_sessions
import sftp_targets


def load():
    """The script, which has no `.py`."""
    path = str(pathlib.Path(__file__).resolve().parent / "sftp")
    loader = importlib.machinery.SourceFileLoader("sftp_bench", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("sftp_bench", loader))
    loader.exec_module(module)
    return module


def run(rate, **more):
    return {"rate": rate, "server_cpu": 1.0, "client_cpu": 1.0, "exit": 0, "copy": "equal", "cut": False, **more}


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

    def test_a_run_that_was_cut_counts_only_when_it_was_projected(self):
        cell = ("rtt20", "get-big", "sftp", "causeway")
        cut = run(3, cut=True, exit=-9, copy="DIFFERS")
        row = sftp_report.rows({cell: [cut]})[0]
        self.assertEqual((row["rate"], row["state"]), (None, "cut"))
        row = sftp_report.rows({cell: [{**cut, "projected": True}]})[0]
        self.assertEqual((row["rate"], row["state"]), (3, "projected"))


class Targets(unittest.TestCase):
    target = sftp_targets.Target("t", "get-big", "sftp", "cpu", 0.5, at_most=True)
    cell = {"link": "loopback", "what": "get-big", "client": "sftp", "rate": 1.0}

    def test_less_cpu_is_better_and_shrunken_files_are_not_judged(self):
        self.assertEqual(promises.state(self.target, 0.4, 1), "met")
        self.assertEqual(promises.state(self.target, 0.6, 1), "missed by 20 %")
        self.assertEqual(promises.state(self.target, 0.4, 0.1), "shrunken files, not judged")

    def test_without_both_figures_nothing_is_met(self):
        ours = {**self.cell, "server": "causeway", "cpu": 0.2}
        self.assertIsNone(sftp_targets.measured(self.target, {"rows": [ours]}))
        theirs = {**self.cell, "server": "openssh", "cpu": 0.4}
        self.assertEqual(sftp_targets.measured(self.target, {"rows": [ours, theirs]}), 0.5)
        self.assertEqual(promises.state(self.target, None, 1), "not measured")

    def test_our_client_is_held_against_the_best_other_and_only_when_all_were_measured(self):
        target = sftp_targets.Target("t", "get-big", "causeway", "rate", 1, rivals=("sftp", "lftp"))
        rows = [{**self.cell, "server": "openssh", "client": client, "rate": rate}
                for client, rate in (("causeway", 30.0), ("sftp", 10.0), ("lftp", 20.0))]
        self.assertEqual(sftp_targets.measured(target, {"rows": rows}), 1.5)
        self.assertIsNone(sftp_targets.measured(target, {"rows": rows[:2]}))
        rows[2]["rate"] = None
        self.assertIsNone(sftp_targets.measured(target, {"rows": rows}))

    def test_sessions_are_judged_by_their_figure_or_by_its_ratio(self):
        told = {("setup", "causeway"): [{"login": 0.01}, {"login": 0.03}, {"login": 0.02}],
                ("setup", "openssh"): [{"login": 0.08}], ("sessions", "causeway"): [{"refused": 1}]}
        result = {"sessions": sftp_report.sessions(told)}
        login = sftp_targets.Target("t", "setup", "asyncssh", "login", 0.25, at_most=True)
        self.assertEqual(sftp_targets.measured(login, result), 0.25)
        refused = sftp_targets.Target("t", "sessions", "asyncssh", "refused", 0, peer="", at_most=True)
        self.assertEqual(promises.state(refused, sftp_targets.measured(refused, result), 1), "missed")


class Sessions(unittest.TestCase):
    def test_a_percentile_is_a_value_that_was_measured(self):
        values = list(range(100, 0, -1))
        self.assertEqual((costs.percentile(values, 0.5), costs.percentile(values, 0.99)), (50, 99))
        self.assertEqual(costs.percentile([7], 0.99), 7)

    def test_shares_add_up(self):
        self.assertEqual(sftp_sessions.shares(10, 4), [3, 3, 2, 2])

    def test_memory_of_mapped_files_is_nobody_s_own(self):
        said = "Pss:   900 kB\nPss_Anon:   40 kB\nPss_File:  850 kB\nPss_Shmem:   10 kB\n"
        self.assertEqual(costs.pss(said), 50 << 10)

    def test_why_there_are_no_figures_is_told(self):
        row = sftp_report.sessions({("setup", "rclone"): [{"failed": ["cut at its limit"]}]})[0]
        self.assertEqual(sftp_report.in_words(row), "cut at its limit")


class Clients(unittest.TestCase):
    def test_only_cells_that_tell_something_are_run(self):
        can = sftp_clients.can
        self.assertTrue(can("causeway", "openssh", "get-big", "rtt20"))
        self.assertFalse(can("causeway", "rclone", "get-big", "rtt20"))
        self.assertTrue(can("serial", "openssh", "put-small", "rtt50"))
        self.assertFalse(can("serial", "openssh", "put-small", "rtt80loss"))
        self.assertFalse(can("sftp", "openssh", "put-small", "rtt50"))
        self.assertFalse(can("sshfs", "openssh", "put-big", "loopback"))
        self.assertTrue(can("sftp", "openssh", "get-null", "loopback"))
        self.assertFalse(can("lftp", "openssh", "get-null", "loopback"))


class Copies(unittest.TestCase):
    def test_missing_different_and_foreign_files_are_seen(self):
        with tempfile.TemporaryDirectory() as lab:
            source, copy = pathlib.Path(lab, "a"), pathlib.Path(lab, "b")
            for folder in (source, copy):
                folder.mkdir()
                (folder / "same").write_text("x")
            self.assertEqual(copies.compare(source, copy), "equal")
            (source / "missing").write_text("x")
            (copy / "foreign").write_text("x")
            (copy / "same").write_text("y")
            self.assertEqual(copies.compare(source, copy), "2 DIFFER, 1 foreign")

    def test_a_file_that_is_not_published_is_no_progress(self):
        with tempfile.TemporaryDirectory() as lab:
            source, copy = pathlib.Path(lab, "a"), pathlib.Path(lab, "b")
            for folder in (source, copy):
                folder.mkdir()
            for name in ("one", "two"):
                (source / name).write_text("x")
            (copy / "one").write_text("x")
            (copy / "two.part").write_text("x")
            self.assertEqual(load().Progress(None, source, copy).share(), 0.5)


class Versions(unittest.TestCase):
    def test_openssh_s_version_is_read(self):
        self.assertEqual(doors.version("OpenSSH_9.2p1 Debian-2, OpenSSL 3"), (9, 2))
        self.assertEqual(doors.version("?"), (0, 0))


if __name__ == "__main__":
    unittest.main()
