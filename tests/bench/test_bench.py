"""What the benchmark's verdicts rest on: that a wrong copy is seen, a lie is called one, a target is judged by the
figure that speaks most against us, and what was not measured to its end is said.

    python3 -m unittest discover -s tests/bench
"""

import os
import pathlib
import tempfile
import types
import unittest

import ciphers
import links
import matrix
import measure
import page
import plan
import report
import servers
import targets
import tools
import trees
import verdicts


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


class Listed(unittest.TestCase):
    """The trees of a million files, shrunk."""

    def test_their_files_cost_no_disk_and_are_gone_afterwards(self):
        with tempfile.TemporaryDirectory() as lab:
            for name, folders in (("HUGE", 10), ("FLAT", 0)):
                with trees.ground(name, pathlib.Path(lab), 0.001) as ground:
                    tree = trees.make(name, ground, 0.001)
                    files = [path for path in tree.root.rglob("*") if path.is_file()]
                    self.assertEqual((len(files), tree.files, tree.entries - tree.files), (1000, 1000, folders))
                    self.assertEqual(sum(path.stat().st_size for path in files), tree.bytes)
                    self.assertLess(sum(path.stat().st_blocks for path in files), 8)
                    self.assertTrue(tree.is_listed and not tree.is_bulk)
                if ground != pathlib.Path(lab):
                    self.assertFalse(ground.exists())

    def test_without_room_in_memory_they_are_made_in_the_lab(self):
        lab = pathlib.Path("lab")
        with trees.ground("FLAT", lab, 1e9) as ground:
            self.assertEqual(ground, lab)
        with trees.ground("SMALL", lab, 1) as ground:
            self.assertEqual(ground, lab)


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


    def test_dialogues_are_no_more_than_either_kind_of_connection(self):
        self.assertEqual(run(1, control_peak=9, data_peak=4).abreast, 4)
        self.assertEqual(run(1, control_peak=1, data_peak=2).abreast, 1)
        self.assertEqual(run(1, control_peak=4, data_peak=0).abreast, 4)
        self.assertIsNone(run(1).abreast)


class Rows(unittest.TestCase):
    cell = matrix.Cell("SMALL", "rtt20", 4, "lftp", "first")

    def test_round_trips_leave_out_what_the_rate_explains(self):
        # 100 files of four round trips over four connections take 2 s, and a second of bytes.
        size = {"files": 100, "bytes": links.LINKS["rtt20"].limit}
        done = run(3, control_peak=4, data_peak=4)
        self.assertAlmostEqual(report.round_trips(self.cell, done, size), 4)
        again = matrix.Cell("SMALL", "rtt20", 4, "lftp", "again")
        self.assertAlmostEqual(report.round_trips(again, done, size), 6)
        loopback = matrix.Cell("SMALL", "loopback", 4, "lftp", "first")
        self.assertIsNone(report.round_trips(loopback, done, size))
        self.assertIsNone(report.round_trips(self.cell, run(3, cut=True, control_peak=4), size))
        self.assertIsNone(report.round_trips(self.cell, done, {"files": 1, "bytes": 1 << 30}))

    def test_connections_are_told_as_far_as_they_were_counted(self):
        self.assertEqual(report.opened(run(1)), "")
        self.assertEqual(report.opened(run(1, opened=1234)), "1,234")
        counted = {"opened": 1007, "control_opened": 7, "data_opened": 1000}
        self.assertEqual(report.opened(run(1, **counted)), "7 + 1,000")
        self.assertEqual(report.opened(run(1, **counted, cut=True, projected=True)), "> 7 + 1,000")

    def test_what_was_not_measured_to_its_end_is_told(self):
        table = {
            self.cell: run(90, cut=True, projected=True, copy=""),
            matrix.Cell("SMALL", "rtt20", 4, "rclone", "again"): run(60, cut=True, copy=""),
            matrix.Cell("SMALL", "rtt20", 4, "wget", "again"): run(1),
        }
        rows = report.rows(table, {cell: [done] for cell, done in table.items()}, {"SMALL": {"files": 9, "bytes": 9}})
        said = dict(report.unfinished(rows))
        self.assertEqual([len(cells) for cells in said.values()], [1, 1])
        self.assertIn(["SMALL, rtt20, first run, 4: lftp ~90.0 s"], said.values())
        self.assertIn(["SMALL, rtt20, nothing changed, 4: rclone > 60.0 s"], said.values())


class Plans(unittest.TestCase):
    def test_the_plan_has_every_link_a_target_is_about(self):
        for effort in (plan.FULL, plan.QUICK):
            stretches = plan.stretches(effort, list(trees.MAKERS))
            over = {(one.tree, one.link) for one in stretches}
            for target in targets.TARGETS:
                self.assertIn((target.tree, target.link), over)
                self.assertIn((target.tree, target.plain or target.link), over)
            for one in stretches:
                self.assertIn("causeway", one.tools)
                self.assertIn("lftp", one.tools)

    def test_links_that_are_named_are_taken_at_the_word(self):
        [one] = plan.stretches(plan.QUICK, ["HUGE"], ["rtt20passive"], ["rclone"])
        self.assertEqual((one.link, one.tools), ("rtt20passive", ("rclone",)))
        [one] = plan.stretches(plan.QUICK, ["SMALL"], ["rtt20passive"])
        self.assertEqual(one.tools, tools.NAMES)

    def test_only_a_steady_rate_is_cut_soon(self):
        link = plan.stretch(plan.QUICK, "SMALL", "rtt20", tools.NAMES)
        self.assertEqual(link.seconds(None, "lftp"), 30)
        self.assertEqual(link.seconds(4, "causeway"), 30)
        self.assertEqual(link.seconds(None, "causeway"), 150)
        self.assertEqual(plan.stretch(plan.QUICK, "SMALL", "loopback", tools.NAMES).seconds(4, "lftp"), 150)

    def test_the_worst_case_counts_every_run(self):
        link = plan.stretch(plan.Effort((4,), (8,), 3, 30), "SMALL", "rtt20", ("causeway", "lftp", "wget"))
        self.assertEqual(link.cells(), [(4, "causeway"), (4, "lftp")], "wget has no four connections")
        self.assertEqual(link.worst(), 3 * 2 * 2 * 30)
        huge = plan.stretch(plan.QUICK, "HUGE", "loopback", ("causeway", "wget"))
        self.assertEqual(huge.worst(), 2 * 600, "listed once, and not by wget")

    def test_what_is_cut_and_left_out_is_told(self):
        said = " ".join(plan.in_words(plan.stretches(plan.QUICK, list(trees.MAKERS))))
        for words in ("cut after 30 s", "150 s", "only causeway and lftp", "wget has no such mode"):
            self.assertIn(words, said)
        few = plan.in_words(plan.stretches(plan.QUICK, ["BIG"], ["loopback"]))
        self.assertEqual(len(few), 1, few)


class Encrypted(unittest.TestCase):
    def test_suites_of_both_versions_have_their_cipher(self):
        self.assertEqual(ciphers.of_suite("TLS_AES_256_GCM_SHA384"), "aes-256-gcm")
        self.assertEqual(ciphers.of_suite("ECDHE-ECDSA-AES128-GCM-SHA256"), "aes-128-gcm")
        self.assertEqual(ciphers.of_suite("TLS_CHACHA20_POLY1305_SHA256"), "chacha20-poly1305")
        self.assertIsNone(ciphers.of_suite("AES256-SHA"))

    def test_the_ciphers_of_a_row_are_seen_once(self):
        suites = ["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "AES256-SHA", None]
        row = {number: [run(1, suite=suite)] for number, suite in enumerate(suites)}
        self.assertEqual(ciphers.seen(row), {"aes-256-gcm"})

    def test_the_rate_is_that_of_the_line_for_machines(self):
        self.assertEqual(ciphers.rate("+H:16384\n+F:25:AES-256-GCM:4073451172.88\n"), 4073451172.88)

    def test_a_cipher_costs_something(self):
        self.assertTrue(0.01 < ciphers.cost("aes-256-gcm", 1) < 100)

    def test_the_last_suite_counts(self):
        log = "SSL version: TLSv1.3, SSL cipher: TLS_AES_128_GCM_SHA256, not reused\n"
        log += "SSL version: TLSv1.3, SSL cipher: TLS_AES_256_GCM_SHA384, reused, no cert\n"
        self.assertEqual(servers.last_suite(log), "TLS_AES_256_GCM_SHA384")
        self.assertIsNone(servers.last_suite("CONNECT: Client 127.0.0.1"))

    def test_every_tool_is_told_to_encrypt(self):
        words = {"causeway": "ftp+tls://", "lftp": "ssl-force yes", "rclone": "explicit_tls=true", "wget": "ftps://"}
        with tempfile.TemporaryDirectory() as folder:
            home = pathlib.Path(folder)
            for tool, word in words.items():
                if tool == "rclone" and not tools.RCLONE.exists():
                    continue
                for link in ("loopback", "loopbacktls"):
                    net = types.SimpleNamespace(link=links.LINKS[link], host="127.0.0.1", port=21)
                    command, _ = tools.order(tool, tools.Ask(net, home / "copy", home, None, program="causeway"))
                    self.assertEqual(word in " ".join(map(str, command)), link == "loopbacktls", tool)


class Struck(unittest.TestCase):
    """What is said of a tool that met a fault."""

    def verdict(self, done, bound=100, **more):
        return verdicts.verdict(verdicts.Trial(done, **more), bound)

    def test_each_end_has_its_word(self):
        self.assertEqual(self.verdict(run(100)), "ok")
        self.assertEqual(self.verdict(run(101)), "late")
        self.assertEqual(self.verdict(run(101), bound=None), "ok")
        self.assertEqual(self.verdict(run(5, copy="equal (3 times differ)")), "ok")
        self.assertEqual(self.verdict(run(5), begun=False), "spared")
        self.assertEqual(self.verdict(run(5, exit=1)), "alarm")
        self.assertEqual(self.verdict(run(5, exit=1, copy="1 DIFFER")), "fails")
        self.assertEqual(self.verdict(run(5, copy="1 DIFFER")), "LIES")
        self.assertEqual(self.verdict(run(130, exit=-9, cut=True, copy="equal")), "cut")

    def test_the_bound_is_the_same_rule_for_all(self):
        self.assertEqual(verdicts.bound(41, 60), 161)
        self.assertIsNone(verdicts.bound(None, 60))

    def test_a_run_that_hangs_is_cut(self):
        self.assertEqual(verdicts.limit("lftp", 161, None), 191)
        self.assertEqual(verdicts.limit("causeway", 161, None), 191)
        self.assertEqual(verdicts.limit("lftp", 161, 15), 15, "as asked for")
        self.assertEqual(verdicts.limit("causeway", 161, 15), 191, "ours has its bound in any case")
        self.assertEqual(verdicts.limit("lftp", None, None), verdicts.PATIENCE)
        self.assertEqual(verdicts.limit("causeway", None, 15), verdicts.PATIENCE)

    def rows(self):
        ours, theirs = verdicts.Trial(run(50)), verdicts.Trial(run(9, copy="267 missing"), words="<said>")
        clean = {tool: verdicts.cell(verdicts.Trial(run(40)), None) for tool in ("causeway", "wget")}
        struck = {"causeway": verdicts.cell(ours, 100), "wget": verdicts.cell(theirs, 100)}
        return [
            {"name": verdicts.CLEAN, "fault": "no fault", "tools": clean},
            {"name": "refused", "fault": "20 refused", "tools": struck},
        ]

    def test_the_table_tells_who_came_through(self):
        lines = list(verdicts.table(self.rows()))
        self.assertRegex(lines[2], r"^20 refused +ok +50 s +LIES +9 s$")
        self.assertRegex(lines[3], r"^came through +1 of 1 +0 of 1$")
        self.assertEqual(lines[-1], "20 refused, wget: 267 missing, exit 0")

    def test_what_a_tool_said_is_kept_when_it_failed(self):
        tried = self.rows()[1]["tools"]
        self.assertEqual(tried["wget"]["words"], "<said>")
        self.assertNotIn("words", tried["causeway"])


class Targets(unittest.TestCase):
    def table(self, ours, peers, link="rtt20"):
        cells = {matrix.Cell("SMALL", link, number, "causeway", "first"): done for number, done in ours.items()}
        for (tool, number), done in peers.items():
            cells[matrix.Cell("SMALL", link, number, tool, "first")] = done
        return cells

    def judge(self, at, table, metric="ratio", value=1.4, peer="any", link="rtt20", plain=""):
        target = targets.Target("", "SMALL", link, "first", metric, value, at, peer, plain=plain)
        sizes = {"SMALL": {"bytes": 2 * ciphers.GIB}}
        return targets.verdict(target, targets.Measured(table, sizes, {"aes-256-gcm": 0.25}))

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

    def test_a_plan_that_failed_meets_no_target(self):
        self.assertEqual(self.judge("all", self.table({4: run(1, copy="", exit=1)}, {}), "memory")["measured"], None)
        self.assertIsNotNone(self.judge("all", self.table({4: run(1, copy="")}, {}), "memory")["measured"])

    def test_what_is_to_be_small_is_judged_by_the_largest(self):
        table = self.table({4: run(10, memory=30 << 20), 8: run(10, memory=60 << 20)}, {})
        self.assertEqual(self.judge("equal", table, "memory", 40 << 20)["state"], "missed by 50 %")

    def test_n_flows_are_measured_by_the_fastest_single_one(self):
        table = self.table({1: run(120), 4: run(20)}, {("wget", None): run(100), ("rclone", None): run(10)})
        said = self.judge("equal", table, "flows", 1)
        self.assertAlmostEqual(said["measured"], 100 / 20 / 4)
        self.assertEqual(said["state"], "met")
        self.assertIsNone(self.judge("equal", self.table({1: run(9)}, {}), "flows", 1)["measured"])

    def test_encryption_may_cost_what_the_bare_cipher_costs(self):
        # Two GiB: half a second for the cipher. Ours takes 0.4 s more with one connection, 0.6 s with four.
        suite = "TLS_AES_256_GCM_SHA384"
        plain = self.table({1: run(9, cpu=1), 4: run(9, cpu=1)}, {}, "loopback")
        tls = self.table({1: run(9, cpu=1.4, suite=suite), 4: run(9, cpu=1.6, suite=suite)}, {}, "loopbacktls")
        said = self.judge("equal", plain | tls, "cipher", 1, link="loopbacktls", plain="loopback")
        self.assertAlmostEqual(said["measured"], 1.2)
        self.assertEqual(said["state"], "missed by 20 %")
        said = self.judge("equal", tls, "cipher", 1, link="loopbacktls", plain="loopback")
        self.assertEqual(said["state"], "not measured")

    def test_every_metric_is_known(self):
        for target in targets.TARGETS:
            self.assertIn(target.metric, targets.FIGURES)


class LoopbackLink(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
    def test_connections_of_the_run_are_counted_and_no_others(self):
        script = (
            "import socket\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "for _ in range(3): socket.create_connection(server.getsockname()).close()\n"
        )
        with links.Loopback(links.LINKS["loopback"]) as net:
            for _ in range(2):
                done = measure.run((["python3", "-c", script], {}), net, 60)
                self.assertEqual((done.exit, done.opened, done.control_opened), (0, 3, None))


class Page(unittest.TestCase):
    RESULT = {"when": "<b>", "machine": {"cpus": 2, "memory_gib": 1, "kernel": "<i>"}, "tools": {}, "scale": 1,
              "notes": [], "sizes": {}, "rows": [], "targets": []}

    def written(self, **more):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "index.html")
            page.write(path, {**self.RESULT, **more})
            return path.read_text()

    def test_what_comes_from_outside_is_text(self):
        said = self.written()
        self.assertNotIn("<b>&", said.replace("&lt;b&gt;", "&"))
        self.assertIn("&lt;b&gt;", said)
        self.assertNotIn("<i>", said)

    def test_a_reason_is_shown_only_when_the_target_is_missed(self):
        target = {"text": "fast", "tree": "SMALL", "link": "rtt20", "metric": "ratio", "value": 2, "measured": 1.5,
                  "reason": "it rained", "idea": "an umbrella"}
        missed = self.written(targets=[{**target, "state": "missed by 25 %"}])
        self.assertIn("it rained", missed)
        self.assertIn("an umbrella", missed)
        met = self.written(targets=[{**target, "state": "met", "measured": 2.5}])
        self.assertNotIn("it rained", met)
        self.assertNotIn("an umbrella", met)
        silent = self.written(targets=[{**target, "state": "missed by 25 %", "reason": ""}])
        self.assertIn("No reason is written yet", silent)

    def test_faults_have_their_verdicts(self):
        said = self.written(faults=Struck().rows())
        self.assertIn("267 missing, exit 0", said)
        self.assertIn("faults that wget came through", said)


if __name__ == "__main__":
    unittest.main()
