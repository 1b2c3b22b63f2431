package demo

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func dialEcho(t *testing.T, s *httptest.Server, origin string) (*websocket.Conn, error) {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	c, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http"), header)
	if err != nil {
		if response == nil || response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v", origin, err)
		}
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	return c, nil
}

func TestTheEchoSaysEverythingBack(t *testing.T) {
	s := httptest.NewServer(Echo())
	defer s.Close()
	c, err := dialEcho(t, s, "http://127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		kind int
		data []byte
	}{
		{websocket.TextMessage, []byte("Салом")}, {websocket.BinaryMessage, []byte{0, 1, 255}}, {websocket.TextMessage, nil},
		{websocket.BinaryMessage, bytes.Repeat([]byte("x"), maxEcho)},
	} {
		if err := c.WriteMessage(m.kind, m.data); err != nil {
			t.Fatal(err)
		}
		kind, data, err := c.ReadMessage()
		if err != nil || kind != m.kind || !bytes.Equal(data, m.data) {
			t.Fatalf("%d octets came back as %d of %d, %v", len(m.data), len(data), kind, err)
		}
	}
	pong := ""
	c.SetPongHandler(func(s string) error { pong = s; return nil })
	if err := c.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4321, "enough"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 4321) || pong != "ping" {
		t.Error(err, pong)
	}
}

func TestTheEchoTakesNoLargerMessages(t *testing.T) {
	s := httptest.NewServer(Echo())
	defer s.Close()
	c, err := dialEcho(t, s, "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.NextWriter(websocket.BinaryMessage)
	if err != nil {
		t.Fatal(err)
	}
	// The header of the frame tells; no more is sent than the server reads.
	_, _ = w.Write(make([]byte, maxEcho))
	_, _ = w.Write([]byte{1})
	_ = w.Close()
	if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
		t.Error(err)
	}
}

func TestTheEchoIsForPagesOfThisComputer(t *testing.T) {
	s := httptest.NewServer(Echo())
	defer s.Close()
	for origin, want := range map[string]bool{
		"http://localhost:8000": true, "http://127.0.0.2": true, "http://[::1]:1": true,
		"": false, "null": false, "http://evil.uz": false, "http://localhost.evil.uz": false, "http://10.0.0.1": false,
	} {
		if _, err := dialEcho(t, s, origin); (err == nil) != want {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
