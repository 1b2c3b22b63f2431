package up

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// publicKeys are those that E-IMZO gives everybody for pages of this computer.
var publicKeys = []string{
	"localhost", "96D0C1491615C82B9A54D9989779DF825B690748224C2B04F500F370D51827CE2644D8D4A82C18184D73AB8530BB8ED537269603F61DB0D03D2104ABF789970B",
	"127.0.0.1", "A7BCFA5D490B351BE0754130DF03A068F855DB4333D43921125B9CF2670EF6A40370C646B90401955E1F7BC9CDBF59CE0B2C5467D820BE189C845D0B79CFC96F",
}

// signer calls the agent as a page of the demo site does.
type signer struct {
	t  *testing.T
	ws *websocket.Conn
}

func newSigner(t *testing.T, r *running) *signer {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(r.agent+"?keepConnection", http.Header{"Origin": {r.demo}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	s := &signer{t, ws}
	s.call("", "apikey", nil, publicKeys...)
	return s
}

// call reads the reply into to, which must be a success.
func (s *signer) call(plugin, name string, to any, args ...string) {
	s.t.Helper()
	if err := s.ws.WriteJSON(map[string]any{"plugin": plugin, "name": name, "arguments": args}); err != nil {
		s.t.Fatal(err)
	}
	_, reply, err := s.ws.ReadMessage()
	if err != nil {
		s.t.Fatal(err)
	}
	if status(s.t, reply) != 1 {
		s.t.Fatalf("%s.%s: %s", plugin, name, reply)
	}
	if to != nil {
		decode(s.t, reply, to)
	}
}

// listed is a key as the agent lists it.
type listed struct{ Disk, Path, Name, Alias string }

func (s *signer) keys() []listed {
	s.t.Helper()
	var reply struct{ Certificates []listed }
	s.call("pfx", "list_all_certificates", &reply)
	return reply.Certificates
}

// sign gives a document in base64.
func (s *signer) sign(k listed, content string) string {
	s.t.Helper()
	var key struct{ KeyID string }
	s.call("pfx", "load_key", &key, k.Disk, k.Path, k.Name, k.Alias)
	var reply struct {
		PKCS7 string `json:"pkcs7_64"`
	}
	s.call("pkcs7", "create_pkcs7", &reply, base64.StdEncoding.EncodeToString([]byte(content)), key.KeyID, "no")
	return reply.PKCS7
}

func TestTheAgentKnowsTheTestKeysAlone(t *testing.T) {
	r := start(t, t.TempDir(), "127.0.0.1:0")
	if !strings.HasPrefix(r.agent, "ws://127.0.0.1:") {
		t.Error(r.agent)
	}
	keys := newSigner(t, r).keys()
	if len(keys) != 2 || !strings.HasSuffix(strings.TrimSuffix(keys[0].Disk, "/"), keysDir) {
		t.Errorf("%+v", keys)
	}
	code, script := fetch(t, "GET", r.demo+"/e-imzo.js", "", "")
	if code != 200 || !strings.Contains(string(script), "CAPIWS") {
		t.Errorf("%d %s", code, script)
	}
}
