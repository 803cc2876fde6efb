"""What the table of WebDAV servers rests on: that what fails with us is seen and has to be explained, that a suite
that did not run is none that passed, and that suites read what was said as it was meant.

    python3 -m unittest discover -s tests/interop
"""

import contextlib
import io
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "suites"), str(HERE.parent / "bench")]

import battery  # noqa: E402
import browser  # noqa: E402
import exerciser  # noqa: E402
import traces  # noqa: E402
import web_clients  # noqa: E402
import web_columns  # noqa: E402
import web_page  # noqa: E402
import web_runners  # noqa: E402
import wire  # noqa: E402
from outcomes import DIFFERENT, FAILS_AT_BOTH  # noqa: E402


def states(ours, theirs):
    return {case: kind for case, kind, _ in web_columns.remarkable({"causeway": ours, "apache": theirs})}


class Columns(unittest.TestCase):
    def test_what_fails_with_us_has_to_be_explained_and_what_fails_with_others_has_not(self):
        self.assertEqual(states({"a": "wrong", "b": "wrong", "c": "ok", "d": "skip: no"},
                                {"a": "ok", "b": "wrong", "c": "wrong", "d": "skip: no"}),
                         {"a": DIFFERENT, "b": FAILS_AT_BOTH})

    def test_what_another_does_and_we_did_not_even_try_has_to_be_explained(self):
        self.assertEqual(states({"a": "skip: no"}, {"a": "ok", "b": "ok", "c": "wrong"}),
                         {"a": DIFFERENT, "b": DIFFERENT})

    def test_a_suite_that_did_not_run_is_unexplained(self):
        self.assertEqual(web_columns.table({"s": {"causeway": {}, "apache": {}}}, {})[1], 1)

    def table(self, results, known=None):
        lines, unexplained = web_columns.table({"s": results}, known or {})
        return "\n".join(lines), unexplained

    def test_only_what_is_written_down_explains_and_what_explains_nothing_is_told(self):
        results = {"causeway": {"a": "wrong", "b": "bad"}, "apache": {"a": "ok", "b": "ok"}}
        known = {DIFFERENT: {"s": {"a": "because", "old": "because"}}}
        text, unexplained = self.table(results, known)
        self.assertEqual(unexplained, 1)
        self.assertRegex(text, r"s +a +known +passes")
        self.assertRegex(text, r"s +b +fails +passes")
        self.assertIn("no longer seen different: s old", text)
        # It is the reason of another state.
        both = {"causeway": {"a": "wrong"}, "apache": {"a": "wrong"}}
        self.assertEqual(self.table(both, known)[1], 1)

    def test_cases_that_begin_alike_are_one_row_that_is_as_bad_as_its_worst(self):
        ours = {"row / one": "ok", "row / two": "wrong", "row / three": "skip: no"}
        text, unexplained = self.table({"causeway": ours, "apache": {"row / one": "ok", "row / two": "ok"}})
        self.assertRegex(text, r"s +row +fails \(1 of 3\) +passes\n")
        self.assertEqual(unexplained, 1)

    def test_a_suite_that_only_we_can_run_leaves_the_other_columns_empty(self):
        lines, unexplained = web_columns.table({"s": {"causeway": {"a": "ok"}}, "t": {
            "causeway": {"b": "ok"}, "apache": {"b": "ok"}}}, {})
        self.assertRegex("\n".join(lines), r"s +a +passes\nt +b +passes +passes\n")
        self.assertEqual(unexplained, 0)

    def test_a_case_that_a_server_never_came_to_counts_as_one_that_it_did_not_pass(self):
        text, _ = self.table({"causeway": {"row / one": "ok", "row / two": "ok"}, "apache": {"row / one": "ok"}})
        self.assertRegex(text, r"s +row +passes +passes \(1 of 2\)")

    def test_what_fails_at_all_is_told_as_such_and_what_was_not_tried_with_its_reason(self):
        text, unexplained = self.table({"causeway": {"a": "no", "b": "skip: not run: not installed"},
                                        "apache": {"a": "no", "b": "skip: not run: not installed"}})
        self.assertRegex(text, r"s +a +fails at both +fails\n")
        self.assertRegex(text, r"s +b +cannot +cannot\n")
        self.assertRegex(text, r"cannot, causeway: s: +1 not run: not installed")
        self.assertEqual(unexplained, 1)

    def test_the_page_shows_every_cell_and_every_word_as_text(self):
        done = {"s": {"causeway": {"<a>": "<b>wrong"}, "apache": {"<a>": "ok"}}}
        result = {"when": "now", "scale": 1, "done": done, "programs": {"apache": "2 & 4"}}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "index.html")
            web_page.write(path, result)
            text = path.read_text()
        self.assertIn("<td class='says bad' data-is='causeway'>fails</td><td class='says good' data-is='apache'>passes",
                      text)
        self.assertIn("causeway, &lt;a&gt;: &lt;b&gt;wrong", text)
        self.assertIn("2 &amp; 4", text)


class Readers(unittest.TestCase):
    def test_litmus_words_are_read_with_warnings_and_names_that_come_twice(self):
        text = ("-> running `basic':\n\r 0. init.................. \r 0. init.................. pass\n"
                "\r 9. delete_fragment....... WARNING: DELETE removed it\n"
                "    ...................... pass (with 1 warning)\n"
                "    ...................... \r10. copy.................. FAIL (COPY said:\n no)\n"
                "\r11. copy.................. \r11. copy.................. pass\n"
                "12. last.................. SKIPPED (no server)\n<- summary for `basic': of 4 tests run\n")
        self.assertEqual(web_runners.from_litmus(text), {
            "0. init": "ok", "9. delete_fragment": "ok", "10. copy": "COPY said:", "11. copy": "ok",
            "12. last": "skip: no server"})

    def test_a_script_that_ended_before_its_end_did_not_pass(self):
        done = subprocess.CompletedProcess([], 1, json.dumps({"a": "ok"}) + "\nnoise\n", "Traceback: it broke")
        self.assertEqual(web_runners.read_told(done), {"a": "ok", "suite": "Traceback: it broke"})
        self.assertIn("suite", web_runners.read_told(subprocess.CompletedProcess([], 0, "", "")))


MULTISTATUS = (b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:x="urn:x"><d:response><d:href>https://h/a%20b'
               b"</d:href><d:propstat><d:prop><d:getetag>&quot;1&quot;</d:getetag></d:prop><d:status>HTTP/1.1 200 OK"
               b"</d:status></d:propstat><d:propstat><d:prop><x:y/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status>"
               b"</d:propstat></d:response></d:multistatus>")


class Wire(unittest.TestCase):
    def test_a_multistatus_is_read(self):
        xml = wire.Answer(207, None, MULTISTATUS).xml
        self.assertEqual(wire.hrefs(xml), ["/a%20b"])
        self.assertEqual(wire.found(xml, "{DAV:}getetag")[200].text, '"1"')
        self.assertEqual(list(wire.found(xml, "{urn:x}y")), [404])
        self.assertEqual(wire.found(xml, "{urn:x}z"), {})

    def test_bodies_are_well_formed_and_name_what_was_asked(self):
        for body in (wire.propfind(["{DAV:}getetag", "{urn:x}y"]), wire.proppatch("y", "urn:x", "a &amp; b"),
                     traces.lockinfo("anna"), traces.office_lockinfo(), traces.windows_times(LastModifiedTime="now"),
                     battery.LOCK):
            wire.Answer(0, None, body).xml.iter()
        names = [one.tag for one in wire.Answer(0, None, wire.propfind(["{urn:x}y"])).xml.iter()]
        self.assertEqual(names[-1], "{urn:x}y")

    def judged(self, function):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            wire.judge("case", function)
        return json.loads(said.getvalue())["case"]

    def test_each_end_of_a_case_is_told(self):
        def raises(error):
            def work():
                raise error
            return work
        self.assertEqual(self.judged(lambda: None), "ok")
        self.assertEqual(self.judged(raises(wire.Left("no such thing"))), "skip: no such thing")
        self.assertEqual(self.judged(raises(AssertionError("two bytes"))), "two bytes")
        self.assertEqual(self.judged(raises(ConnectionResetError("gone"))), "ConnectionResetError: gone")
        self.assertNotEqual(self.judged(raises(AssertionError())), "ok")

    def test_what_does_not_come_is_not_waited_for_without_end(self):
        with self.assertRaisesRegex(AssertionError, "never"):
            wire.until(lambda: False, "never", 0)

    def test_names_that_are_bytes_stay_them_in_a_url(self):
        door = wire.Door.__new__(wire.Door)
        door.mount = "/dav/"
        self.assertEqual(door.path(b"\xe9t\xe9 #"), "/dav/%E9t%E9%20%23")
        self.assertEqual(door.path("a/ü"), "/dav/a/%C3%BC")


class Traces(unittest.TestCase):
    def client(self, answer):
        """A client whose server gives one answer and remembers what came."""
        ours, theirs = socket.socketpair()
        door = wire.Door.__new__(wire.Door)
        door.mount, door.host, door.port, door.login = "/dav/", "h", 1, {"Authorization": "Basic x"}
        client = traces.Client(door, {"User-Agent": "one"})
        client.stream = ours
        theirs.sendall(answer)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        return client, theirs

    def test_a_status_with_which_a_client_stops_is_seen(self):
        client, theirs = self.client(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        with self.assertRaisesRegex(AssertionError, "PUT /dav/a%20b is answered 403"):
            client.send("PUT", "a b", (201,), b"xy", If="(<t>)")
        sent = theirs.recv(4096).decode()
        self.assertTrue(sent.startswith("PUT /dav/a%20b HTTP/1.1\r\n"), sent)
        self.assertTrue(sent.endswith("\r\n\r\nxy"), sent)
        for line in ("Content-Length: 2", "User-Agent: one", "If: (<t>)"):
            self.assertIn(f"\r\n{line}\r\n", sent)

    def test_a_lock_s_token_must_be_the_same_in_both_places(self):
        body = b"<D:locktoken><D:href>urn:uuid:1</D:href></D:locktoken>"
        for header, right in (("<urn:uuid:1>", True), ("<urn:uuid:2>", False)):
            client, _ = self.client(b"HTTP/1.1 200 OK\r\nLock-Token: %s\r\nContent-Length: %d\r\n\r\n%s"
                                    % (header.encode(), len(body), body))
            if right:
                client.lock("a", b"")
                self.assertEqual(client.held("a"), {"If": "(<urn:uuid:1>)"})
            else:
                self.assertRaises(AssertionError, client.lock, "a", b"")


class Clients(unittest.TestCase):
    def test_trees_that_differ_in_one_byte_or_one_name_are_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            one, other = (web_clients.tree(pathlib.Path(folder, name)) for name in ("one", "other"))
            self.assertIsNone(web_clients.same_trees(one, other))
            self.assertIsNone(web_clients.differ(one, other))
            (other / "deep" / "er" / "big").write_bytes(b"x")
            self.assertIn("big", web_clients.same_trees(one, other))
            self.assertIn("big", web_clients.differ(one, other))
            (other / "empty folder").rmdir()
            self.assertIn("empty folder", web_clients.same_trees(one, other))
            self.assertNotIn("empty folder", web_clients.same_trees(one, other, empty_folders=False))

    def walk(self, command, **more):
        net = types.SimpleNamespace(command=lambda _side, words: words)
        with tempfile.TemporaryDirectory() as folder:
            door = types.SimpleNamespace(net=net, root=pathlib.Path(folder), environment=dict)
            walk = web_clients.Walk(door, pathlib.Path(folder), lambda words: ["sh", "-c", words])
            walk.step("step", command, **more)
            return walk.results["step"]

    def test_a_step_is_judged_by_its_status_and_by_what_it_left(self):
        self.assertEqual(self.walk("true"), "ok")
        self.assertIn("exit status 3", self.walk("exit 3"))
        self.assertEqual(self.walk("exit 3", fails=True), "ok")
        self.assertIn("exit status 0", self.walk("true", fails=True))
        self.assertEqual(self.walk("echo said", check=lambda said: said == "said\n"), "ok")
        self.assertIn("what it left is wrong", self.walk("echo", check=lambda _said: False))
        self.assertIn("KeyError", self.walk("echo", check=lambda _said: {}["free"]))

    def test_random_work_that_is_not_served_afterwards_is_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            (top / "drive").mkdir()
            (top / "drive" / "a").write_bytes(b"1")
            exerciser.keep(top / "left", {"a": b"1"})
            drive = web_clients.Drive(types.SimpleNamespace(root=top), top, top, None)
            self.assertIsNone(drive.kept(top / "left"))
            (top / "drive" / "a").write_bytes(b"2")
            (top / "drive" / "b").write_bytes(b"1")
            self.assertIn("2 of 1", drive.kept(top / "left"))


class Relay(unittest.TestCase):
    def test_a_connection_is_cut_once_and_the_next_one_carries_all(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            door = types.SimpleNamespace(host="127.0.0.1", port=server.getsockname()[1])
            got = []

            def serve():
                for _ in range(2):
                    stream, _ = server.accept()
                    with stream, contextlib.suppress(OSError):
                        while data := stream.recv(1 << 16):
                            got.append(len(data))

            thread = threading.Thread(target=serve)
            thread.start()
            relay = browser.Relay(door, cut=300_000)
            for last in (False, True):
                with socket.create_connection(("127.0.0.1", relay.port)) as client, contextlib.suppress(OSError):
                    client.sendall(b"x" * 500_000)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)
                self.assertIsNone(relay.cut)
                if not last:
                    self.assertLess(relay.carried, 500_000)
            thread.join()
        self.assertGreaterEqual(relay.carried, 500_000 + 300_000)
        self.assertGreaterEqual(sum(got), 500_000)

    def test_a_file_of_the_asked_size_is_made_and_a_folder_with_so_many_files(self):
        with tempfile.TemporaryDirectory() as folder:
            browser.HERE, before = pathlib.Path(folder), browser.HERE
            try:
                self.assertEqual(browser.big(1_500_000).stat().st_size, 1_500_000)
                top = browser.folders(20)
                self.assertEqual(sum(path.is_file() for path in top.rglob("*")), 20)
                browser.same_folders(top, top)
                (top / "more").write_bytes(b"")
                self.assertRaises(AssertionError, browser.same_folders, top, pathlib.Path(folder))
            finally:
                browser.HERE = before


if __name__ == "__main__":
    unittest.main()
