package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"imzo/internal/eimzo/agent/prompt"
)

// tree lists all files of a folder with their sizes.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if e.Name() == AuditFile {
			return err
		}
		all = append(all, fmt.Sprint(path, " ", info.Size(), " ", info.ModTime().UnixNano()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever a page sends as disk, path and name: no file is read or written but
// key files of the folders there are.
func TestNoPageReachesAnotherFile(t *testing.T) {
	s := newStage(t)
	parent := filepath.Dir(s.stick)
	outside := filepath.Join(parent, "OUTSIDE.pfx")
	if err := os.WriteFile(outside, s.pfx, 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		for link, to := range map[string]string{"LINK.pfx": outside, "DSKEYS": parent} {
			if err := os.Symlink(to, filepath.Join(s.stick, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := tree(t, parent)
	up := "../" + filepath.Base(parent)
	for _, c := range [][3]string{
		{parent, "", "OUTSIDE"}, {parent + "/", "", "OUTSIDE"}, {s.stick + "/..", "", "OUTSIDE"}, {s.disk(), "..", "OUTSIDE"}, {s.disk(), "", "../OUTSIDE"},
		{s.disk(), "", `..\OUTSIDE`}, {s.disk(), "", outside}, {s.disk(), "DSKEYS", "OUTSIDE"}, {s.disk() + "DSKEYS/", "", "OUTSIDE"}, {s.disk(), "DSKEYS/..", "OUTSIDE"},
		{s.disk(), "", "LINK"}, {s.disk(), "", "OUTSIDE\x00"}, {s.disk() + "\x00", "", "OUTSIDE"}, {"", "", outside}, {"/", "", outside}, {"file://" + parent, "", "OUTSIDE"},
		{s.disk(), up, "OUTSIDE"}, {"", "", ""}, {s.disk(), "", "con"}, {s.disk(), "", strings.Repeat("A", 1<<20)},
	} {
		for _, reply := range []map[string]any{
			s.call(pageOne, "pfx.load_key", c[0], c[1], c[2], s.alias),
			s.call(pageOne, "ytks.load_key", c[0], c[1], c[2], s.alias, s.user.Cert.SerialHex()),
			s.call(pageOne, "pfx.save_temporary_pfx", c[0], c[1], c[2]+"NEW", "x", s.pair(), "pw", newName),
		} {
			if reply["success"] != false {
				// A new file right on the disk is what a page may ask for.
				if _, err := os.Stat(filepath.Join(s.stick, c[2]+"NEW.pfx")); err != nil {
					t.Errorf("%q: %v", c, reply)
				}
				continue
			}
			if text := fmt.Sprint(reply["reason"]); strings.Contains(text, "no such file") || strings.Contains(text, "permission") {
				t.Errorf("%q: %s", c, text)
			}
		}
	}
	_ = os.Remove(filepath.Join(s.stick, "conNEW.pfx"))
	after := slices.DeleteFunc(tree(t, parent), func(line string) bool { return strings.Contains(line, "NEW.pfx") })
	if !slices.Equal(before, after) {
		t.Errorf("files have changed: %v, before %v", after, before)
	}
	reply := s.call(pageOne, "pfx.list_all_certificates")
	if n := len(reply["certificates"].([]any)); n > 2 {
		t.Error(reply)
	}
}

// Another name for this computer (DNS rebinding) gets nothing, as a page or as
// a socket, whatever its origin.
func TestAnotherNameForThisComputerGetsNothing(t *testing.T) {
	s := newStage(t)
	for _, host := range []string{"evil.example", "evil.example:64646", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", "[::2]", "0.0.0.0"} {
		for _, path := range []string{"/", SocketPath, "/apidoc.html", "/prompt/x"} {
			r, err := http.NewRequest("GET", s.service.PageURL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("%s%s: %d", host, path, response.StatusCode)
			}
		}
		header := http.Header{"Host": {host}, "Origin": {pageOne}}
		if c, _, err := websocket.DefaultDialer.Dial("ws://"+s.service.WSAddress()+SocketPath, header); err == nil {
			_ = c.Close()
			t.Errorf("a socket of %s", host)
		}
	}
}

// A page that asks and asks wears nobody down: the person sees a few questions,
// every call gets its answer, and nothing is signed. Another page is answered.
func TestAPageCannotFloodThePerson(t *testing.T) {
	d := newDesk(t)
	var shown atomic.Int32
	queue := prompt.NewQueue(person(func(r prompt.Request) (prompt.Answer, error) {
		if r.Origin != site.Origin {
			return prompt.Answer{}, prompt.ErrUnavailable
		}
		shown.Add(1)
		time.Sleep(time.Millisecond)
		return prompt.Answer{}, prompt.ErrCancelled
	}), nil)
	d.agent.prompter = queue
	id := d.load(t)
	s := serveAgent(t, d.agent)
	before := runtime.NumGoroutine()
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			for range 20 {
				c := dial(t, s, "", site.Origin)
				reply := say(t, c, `{"plugin":"pkcs7","name":"create_pkcs7","arguments":["AAAA","`+id+`"]}`)
				if !strings.Contains(reply, `"status":-5000`) {
					t.Error(reply)
				}
				_ = c.Close()
			}
		})
	}
	wait.Wait()
	if n := shown.Load(); n == 0 || n > 10 {
		t.Errorf("the person saw %d questions of a thousand", n)
	}
	if strings.Contains(d.audited.String(), "serial=") {
		t.Error("something is signed")
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+10; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before there were %d", runtime.NumGoroutine(), before)
		}
	}
}

// Clients that send slowly are let go, and hold nothing.
func TestSlowClientsAreLetGo(t *testing.T) {
	a := newAgent(t)
	a.idle, a.whole = 300*time.Millisecond, time.Second
	s := serveAgent(t, a)
	closedWithin := func(name string, c net.Conn, most time.Duration) {
		t.Helper()
		start := time.Now()
		_ = c.SetReadDeadline(start.Add(most + 10*time.Second))
		b := make([]byte, 1024)
		for {
			if _, err := c.Read(b); err != nil {
				if took := time.Since(start); took > most {
					t.Errorf("%s: let go after %s: %v", name, took, err)
				}
				return
			}
		}
	}
	frame := func(n int) []byte { // the beginning of a masked text frame
		b := []byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}
		binary.BigEndian.PutUint64(b[2:], uint64(n))
		return b
	}
	silent := dial(t, s, "", site.Origin).NetConn()
	half := dial(t, s, "", site.Origin).NetConn()
	_, _ = half.Write(append(frame(1000), "half a message"...))
	large := dial(t, s, "", site.Origin).NetConn()
	_, _ = large.Write(append(frame(maxMessage-1), bytes.Repeat([]byte("x"), 1<<20)...))
	drip := dial(t, s, "", site.Origin).NetConn()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		_, _ = drip.Write(frame(1 << 20))
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				if _, err := drip.Write([]byte("x")); err != nil {
					return
				}
			}
		}
	}()
	most := 10 * time.Second // closeWait and a busy machine beside the limits
	closedWithin("silent", silent, most)
	closedWithin("half a message", half, most)
	closedWithin("half a large message", large, most)
	closedWithin("drop by drop", drip, most)
	givenBack(t, a, DefaultMemory)
}

// A message of 64 MiB and one of a thousand nested arrays are answered or
// closed; the agent goes on.
func TestStrangeMessagesDoNoHarm(t *testing.T) {
	s := newStage(t)
	for _, message := range []string{
		"", "{", "null", "[]", "0", `"x"`, strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), `{"plugin":{"a":1}}`, `{"name":["version"]}`,
		`{"name":"version","arguments":{"a":1}}`, `{"name":"version","arguments":[[1]]}`, "{\"name\":\"\xff\"}", `{"name":"version","arguments":null}`,
		`{"plugin":"pkcs7","name":"create_pkcs7","arguments":["` + strings.Repeat("A", 40<<20) + `","x"]}`,
	} {
		c, _, err := websocket.DefaultDialer.DialContext(context.Background(), "ws://"+s.service.WSAddress()+SocketPath, http.Header{"Origin": {pageOne}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Error(err)
		}
		var reply map[string]any
		if err := c.ReadJSON(&reply); err != nil || reply["status"] == nil {
			t.Errorf("%.60q: %v %v", message, reply, err)
		}
		_ = c.Close()
	}
	if reply := s.call(pageOne, "version"); reply["success"] != true {
		t.Error(reply)
	}
}
