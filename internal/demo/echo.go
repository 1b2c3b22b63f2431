package demo

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Bounds of the echo.
const (
	// maxEcho is the largest message.
	maxEcho = 16 << 20
	// echoIdle is how long a page may say nothing, echoWrite how long it may
	// take to read an answer.
	echoIdle  = 10 * time.Minute
	echoWrite = 30 * time.Second
)

// Echo is the back end behind the tunnel of `imzo up`: a WebSocket that says
// everything back. Pings are answered, and a close with its own code. It takes
// pages of this computer only.
func Echo() http.Handler {
	upgrader := websocket.Upgrader{HandshakeTimeout: echoWrite, CheckOrigin: fromLoopback}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer conn.Close()
		conn.SetReadLimit(maxEcho)
		for echo(conn) == nil {
		}
	})
}

// echo says one message back.
func echo(conn *websocket.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(echoIdle))
	kind, message, err := conn.ReadMessage()
	_ = conn.SetWriteDeadline(time.Now().Add(echoWrite))
	if err != nil {
		return err
	}
	return conn.WriteMessage(kind, message)
}

// fromLoopback tells whether a page is of this computer. Its address is not
// that of the echo: it comes through a port of the agent.
func fromLoopback(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	if err != nil {
		return false
	}
	return strings.EqualFold(u.Hostname(), "localhost") || isLoopback(u.Hostname())
}
