//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imzo/internal/testpki/peer"
)

// nginxFolder writes a complete configuration of nginx around files that go
// inside http { }, by name, and returns its path. Nothing outside of the
// folder is written.
func nginxFolder(t *testing.T, inHTTP map[string]string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	var includes strings.Builder
	for name, text := range inHTTP {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&includes, "\tinclude %s;\n", filepath.Join(dir, name))
	}
	var temp strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "\t%s_temp_path %s;\n", what, filepath.Join(dir, what))
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // the folder is closed for others
	}
	path = filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`%sdaemon off;
worker_processes 2;
pid %s;
error_log stderr notice;
events { worker_connections 1024; }
http {
	access_log %s;
%s%s}
`, user, filepath.Join(dir, "nginx.pid"), filepath.Join(dir, "access.log"), temp.String(), includes.String())
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

// nginx is a running one.
type nginx struct {
	*process
	url string
	dir string
}

// startNginx starts a real nginx. The function gets the address to listen on.
func startNginx(t *testing.T, inHTTP func(listen string) map[string]string) *nginx {
	t.Helper()
	program := peer.Nginx(t)
	// A port that is free now may be taken when nginx opens it.
	for try := 0; ; try++ {
		listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		dir, path := nginxFolder(t, inHTTP(listen))
		p := launch(t, "TERM", nil, program, "-p", dir, "-c", path, "-e", "stderr")
		for p.running() && !strings.Contains(p.log.String(), "start worker process ") {
			time.Sleep(5 * time.Millisecond)
		}
		if p.running() {
			t.Cleanup(func() {
				if text := p.log.String(); strings.Contains(text, "[emerg]") || strings.Contains(text, "[alert]") {
					t.Errorf("nginx:\n%s", text)
				}
			})
			return &nginx{process: p, url: "http://" + listen, dir: dir}
		}
		if !strings.Contains(p.log.String(), "Address already in use") || try == 5 {
			t.Fatalf("nginx does not start:\n%s", p.log.String())
		}
	}
}

// guideNginx is the guide's own configuration, unchanged but for addresses.
func guideNginx(t *testing.T, listen, site string, servers ...*server) map[string]string {
	t.Helper()
	return map[string]string{
		"upstream.conf": upstream("imzo", servers...),
		"guide.conf": replaced(t, guideFile(t, "nginx.conf"),
			"listen 80;", "listen "+listen+";",
			"http://E-IMZO-SERVER:8080", "http://imzo",
			"http://YOUR-BACKEND-APP:8080", site),
	}
}

// ourNginx is the configuration of deploy/nginx.
func ourNginx(t *testing.T, listen, site string, servers ...*server) map[string]string {
	t.Helper()
	upstreams := deployFile(t, "nginx/imzo-upstreams.conf")
	var lines strings.Builder
	for i, s := range servers {
		if i > 0 {
			lines.WriteString("\n\t")
		}
		fmt.Fprintf(&lines, "server %s max_fails=2 fail_timeout=2s;", strings.TrimPrefix(s.url, "http://"))
	}
	return map[string]string{
		"imzo-upstreams.conf": replaced(t, upstreams,
			"server 127.0.0.1:8080 max_fails=2 fail_timeout=2s;", lines.String(),
			"server 127.0.0.1:8000;", "server "+strings.TrimPrefix(site, "http://")+";"),
		"imzo.conf": replaced(t, deployFile(t, "nginx/imzo.conf"), "\tlisten 80;", "\tlisten "+listen+";"),
	}
}

func upstream(name string, servers ...*server) string {
	var b strings.Builder
	fmt.Fprintf(&b, "upstream %s {\n", name)
	for _, s := range servers {
		fmt.Fprintf(&b, "\tserver %s;\n", strings.TrimPrefix(s.url, "http://"))
	}
	b.WriteString("}\n")
	return b.String()
}

// Real nginx reads what we ship, as it is but for names that only resolve
// where it is meant for.
func TestNginxTakesTheFilesOfDeploy(t *testing.T) {
	program := peer.Nginx(t)
	// nginx opens the port also when it only tests, and 80 is root's.
	server := replaced(t, deployFile(t, "nginx/imzo.conf"), "\tlisten 80;", fmt.Sprintf("\tlisten 127.0.0.1:%d;", freePort(t)))
	for name, files := range map[string]map[string]string{
		"on a machine": {
			"imzo.conf":           server,
			"imzo-upstreams.conf": deployFile(t, "nginx/imzo-upstreams.conf"),
		},
		"in compose": {
			"imzo.conf": server,
			"imzo-upstreams.conf": replaced(t, deployFile(t, "docker/upstreams.conf"),
				"server imzo-1:8080", "server 127.0.0.1:8081", "server imzo-2:8080", "server 127.0.0.1:8082"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := nginxFolder(t, files)
			cmd := exec.CommandContext(t.Context(), program, "-t", "-p", dir, "-c", path, "-e", "stderr")
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "test is successful") || strings.Contains(string(out), "[warn]") {
				t.Errorf("nginx -t: %v\n%s", err, out)
			}
		})
	}
	t.Run("a mistake is found", func(t *testing.T) {
		dir, path := nginxFolder(t, map[string]string{"imzo.conf": server}) // without upstreams
		if out, err := exec.CommandContext(t.Context(), program, "-t", "-p", dir, "-c", path, "-e", "stderr").CombinedOutput(); err == nil {
			t.Errorf("nginx -t takes a configuration without upstreams\n%s", out)
		}
	})
}
