"""What the table of the HTTP benchmark rests on: a run without an equal copy gives no figure, ratios are to nginx in
the same cell, what h2load and a multistatus say is read, and a wrong copy is seen."""

import base64
import hashlib
import importlib.machinery
import importlib.util
import os
import pathlib
import tempfile
import threading
import types
import unittest

import copies
import costs
import http_cells
import http_report
import http_servers
import http_targets
import promises


def load():
    """The script, which has no `.py`."""
    path = str(pathlib.Path(__file__).resolve().parent / "http")
    loader = importlib.machinery.SourceFileLoader("http_bench", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("http_bench", loader))
    loader.exec_module(module)
    return module


def run(rate, **more):
    return {"rate": rate, "cpu": 1.0, "seconds": 1.0, "client_cpu": 1.0, "exit": 0, "copy": "equal", "cut": False,
            **more}


class Rows(unittest.TestCase):
    def test_ratios_are_to_nginx_in_the_same_cell(self):
        ours = [run(30, cpu=0.5), run(10), run(20, cpu=0.4)]
        runs = {("loopback", "get-h1", "causeway"): ours, ("loopback", "get-h1", "nginx"): [run(10)],
                ("loopback", "get-h2", "nginx"): [run(1)]}
        row = http_report.rows(runs)[0]
        self.assertEqual((row["rate"], row["rate_ratio"], row["cpu_ratio"], row["state"]), (20, 2, 0.5, "equal"))

    def test_a_bad_copy_gives_no_figure_and_is_told(self):
        row = http_report.rows({("loopback", "get-h1", "causeway"): [run(30, copy="DIFFERS")]})[0]
        self.assertEqual((row["rate"], row["state"]), (None, "exit 0, DIFFERS"))
        self.assertIn("–", http_report.cells(row))

    def test_requests_that_failed_count_in_every_run(self):
        runs = [run(30, failed=0), run(30, failed=3, copy="3 failed"), run(30, failed=0)]
        row = http_report.rows({("loopback", "crowd", "causeway"): runs})[0]
        self.assertEqual((row["failed"], row["rate"]), (3, 30))

    def test_every_cell_is_explained_and_has_its_place_on_the_page(self):
        self.assertEqual(list(http_report.WHATS), list(http_cells.CELLS))
        done = [run(1.5, ttfb=0.001, memory=2048, failed=0)]
        rows = http_report.rows({("loopback", what, "causeway"): done for what in http_cells.CELLS})
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "index.html")
            http_report.write(page, {
                "when": "now", "machine": {"cpus": 2, "kernel": "6"}, "scale": 1, "rows": rows, "links": {},
                "versions": {}, "targets": http_targets.judge(rows, 1)})
            text = page.read_text()
        self.assertEqual(text.count("<table"), text.count("</table>"))
        for what in http_cells.CELLS:
            self.assertIn(f"<h2>{what}, loopback</h2>", text)


class Targets(unittest.TestCase):
    cell = {"link": "loopback", "what": "propfind-100k"}
    target = http_targets.Target("t", "propfind-100k", "seconds", 0.8, "nginx", at_most=True)

    def test_less_time_is_better_and_shrunken_files_are_not_judged(self):
        self.assertEqual(promises.state(self.target, 0.8, 1), "met")
        self.assertEqual(promises.state(self.target, 1.0, 1), "missed by 25 %")
        self.assertEqual(promises.state(self.target, 0.4, 0.1), "shrunken files, not judged")

    def test_without_both_figures_nothing_is_met(self):
        ours = {**self.cell, "server": "causeway", "seconds": 0.2}
        self.assertIsNone(http_targets.measured(self.target, [ours]))
        theirs = {**self.cell, "server": "nginx", "seconds": 0.4}
        self.assertEqual(http_targets.measured(self.target, [ours, theirs]), 0.5)
        elsewhere = {**theirs, "link": "rtt20"}
        self.assertIsNone(http_targets.measured(self.target, [ours, elsewhere]))

    def test_all_are_of_cells_and_servers_that_are_there(self):
        for target in http_targets.TARGETS:
            self.assertIn(target.what, http_cells.CELLS)
            self.assertIn(target.peer, ("", *http_servers.SERVERS))

    def test_what_is_missed_is_told_with_its_reason(self):
        judged = [{"text": "t", "where": "here", "at_most": True, "measured": 2.0, "value": 1.0, "divisor": 1,
                   "unit": "×", "state": "missed by 100 %", "reason": "of this", "idea": "that"}]
        self.assertIn("since of this; next: that", "\n".join(promises.lines(judged)))
        self.assertIn("of this", "".join(promises.table(judged, "here")))


class Cells(unittest.TestCase):
    def test_only_cells_that_tell_something_are_run(self):
        def can(what, server, link="loopback"):
            return http_cells.can(http_cells.CELLS[what], http_servers.SERVERS[server], link)

        self.assertTrue(can("get-h1-clear", "nginx"))
        self.assertFalse(can("get-h1-clear", "causeway"))
        self.assertFalse(can("put-h1", "caddy"))
        self.assertFalse(can("propfind-10k", "caddy"))
        self.assertFalse(can("small-32", "rclone"))
        self.assertTrue(can("small-h1", "rclone"))
        self.assertTrue(can("small-32", "nginx-login"))
        self.assertFalse(can("get-h1", "nginx-login"))
        self.assertTrue(can("get-h2", "causeway", "rtt80"))
        self.assertFalse(can("crowd", "causeway", "rtt80"))
        self.assertTrue(can("get-h3", "causeway") and can("get-h3", "caddy"))
        self.assertFalse(can("get-h3", "nginx"))

    def test_what_h2load_says_is_read(self):
        said = ("finished in 315.46ms, 31699.89 req/s, 130.16MB/s\n"
                "requests: 100 total, 100 started, 100 done, 98 succeeded, 2 failed, 0 errored, 0 timeout\n"
                "status codes: 98 2xx, 0 3xx, 2 4xx, 0 5xx\n"
                "traffic: 41.05MB (43045032) total, 1.30MB (1300000) headers (space savings 50.00%), "
                "39.06MB (40960000) data\n")
        read = http_cells.read(said)
        self.assertEqual((read["data"], read["succeeded"]), (40960000, 98))
        self.assertAlmostEqual(read["seconds"], 0.31546)
        self.assertEqual(http_cells.read(said.replace("315.46ms", "2.50s"))["seconds"], 2.5)
        self.assertIsNone(http_cells.read("could not connect"))

    def test_names_of_a_multistatus_are_read_as_each_server_writes_them(self):
        apache = b"<D:response><D:href>/a/</D:href></D:response><D:response xmlns:x=''><D:href>/a/b%20c</D:href>"
        nginx = b"<D:href>/a/</D:href><D:href>/a/b c</D:href>"
        ours = b"<href>/a</href><href xmlns=\"DAV:\">http://h:1/a/b%20c</href><href>/a/d&amp;e/</href>"
        self.assertEqual(http_cells.names_of(apache, "/a/"), {"b c"})
        self.assertEqual(http_cells.names_of(nginx, "/a/"), {"b c"})
        self.assertEqual(http_cells.names_of(ours, "/a/"), {"b c", "d&e/"})

    def test_what_came_of_a_fetch_that_was_cut_is_compared(self):
        with tempfile.TemporaryDirectory() as lab:
            source, copy = pathlib.Path(lab, "a"), pathlib.Path(lab, "b")
            for folder in (source, copy):
                folder.mkdir()
                (folder / "same").write_bytes(b"x" * http_cells.SIZE)
            (copy / "half").write_bytes(b"x")
            self.assertEqual(http_cells.compare_some(source, copy), "equal")
            (source / "other").write_bytes(b"x" * http_cells.SIZE)
            (copy / "other").write_bytes(b"y" * http_cells.SIZE)
            self.assertEqual(http_cells.compare_some(source, copy), "1 of 2 DIFFER")

    def test_a_copy_of_ours_that_is_not_whole_is_no_success(self):
        are_whole = load().are_whole
        cell = ("loopback", "get-h1", "causeway")
        self.assertTrue(are_whole({cell: [run(1)]}))
        for bad in (run(1, copy="DIFFERS"), run(1, exit=22), run(1, cut=True, exit=-9, copy="none")):
            self.assertFalse(are_whole({cell: [run(1), bad]}))
            self.assertTrue(are_whole({(*cell[:2], "dufs"): [bad]}), "what others do is in the table")

    def test_files_that_are_compared_have_all_their_bytes(self):
        with tempfile.TemporaryDirectory() as lab:
            root = pathlib.Path(lab)
            http_cells.sources(root, 0.001)
            self.assertEqual((root / "share").stat().st_size, http_cells.SHARE)
            self.assertEqual({path.stat().st_size for path in copies.files(root / "small")}, {http_cells.SIZE})
            self.assertEqual(len(os.listdir(root / "entries-100000")), 100)


class Servers(unittest.TestCase):
    def test_the_password_of_nginx_is_salted(self):
        kept = base64.b64decode(http_servers.salted("secret", b"salt").removeprefix("{SSHA}"))
        self.assertEqual(kept, hashlib.sha1(b"secretsalt").digest() + b"salt")


class Costs(unittest.TestCase):
    def test_memory_that_bursts_its_bound_is_noticed_while_it_grows(self):
        door = types.SimpleNamespace(process=types.SimpleNamespace(pid=os.getpid()))
        burst = threading.Event()
        with costs.Peak(door, 16 << 20, burst.set, pace=0.01) as peak:
            kept = b"x" * (64 << 20)
            self.assertTrue(burst.wait(30))
        self.assertGreaterEqual(peak.grown, 16 << 20)
        self.assertGreaterEqual(costs.status(door, "VmHWM:"), len(kept))


if __name__ == "__main__":
    unittest.main()
