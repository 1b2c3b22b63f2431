package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 15 * time.Second
	// pollInterval is how often a starting server is tried, and so how exact
	// the time to ready is.
	pollInterval = 500 * time.Microsecond
)

// build compiles the binary as the Makefile does.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "imzo")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "imzo/cmd/imzo")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the server cannot be built: %w\n%s", err, out)
	}
	return program, nil
}

// process is a running imzo server.
type process struct {
	cmd     *exec.Cmd
	address string
	log     *os.File
	ready   time.Duration // from its start to the first answer that it is
}

// start starts a server of the world and waits until it is ready.
func (w *world) start(ctx context.Context) (*process, error) {
	// A port that was free a moment ago: to ask for it from the outside is the
	// only way to time a start without reading logs.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{address: l.Addr().String()}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(w.dir, "server-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.properties")
	// Challenges that nobody answers would fill the store in a minute of
	// full load, and none would be issued for the rest of the two minutes.
	text := fmt.Sprintf("cache.local.key.ttl.seconds=3\nlisten.ip=127.0.0.1\nlisten.port=%d\ntrust.pem.file.path=%s\nocsp.url=%s\ntsp.url=%s\nmobile.siteId=20e2\n",
		port, w.root, w.authority.OCSPURL(), w.authority.TSAURL())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if p.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(ctx, w.program, "server", config)
	p.cmd.Stderr = p.log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopTimeout
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, p.log.Close())
	}
	if err := p.awaitReady(ctx, began); err != nil {
		p.stop()
		text, _ := os.ReadFile(p.log.Name()) // the error is the other one
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return p, nil
}

func (p *process) awaitReady(ctx context.Context, began time.Time) error {
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	for time.Since(began) < startTimeout && ctx.Err() == nil {
		res, err := client.Get("http://" + p.address + "/healthz/ready")
		if err == nil {
			p.ready = time.Since(began)
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(pollInterval)
	}
	return errors.Join(errors.New("the server does not get ready"), ctx.Err())
}

// stop ends the server. How it ends is not what is measured.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
	_ = p.log.Close()
}

// usage is what the system and the server itself say of what it has used.
type usage struct {
	cpu         time.Duration // user and system
	allocations float64       // of the heap, since the start; ours only
}

// clockTick is USER_HZ, in which Linux gives times of processes; it is 100 on
// every architecture that Go runs on.
const clockTick = time.Second / 100

// cpuTime returns the processor time of a process (proc(5), /proc/PID/stat).
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(b))
}

// parseStat adds up the fields utime and stime. The name before them may hold
// anything and ends with the last bracket.
func parseStat(text string) (time.Duration, error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("not a stat of a process: %.100q", text)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// memory returns VmRSS, the memory of a process now, and VmHWM, the most it
// has had, in bytes.
func memory(pid int) (now, peak float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	if now, err = parseStatus(b, "VmRSS"); err != nil {
		return 0, 0, err
	}
	peak, err = parseStatus(b, "VmHWM")
	return now, peak, err
}

// parseStatus reads a field of /proc/PID/status, which is in KiB.
func parseStatus(status []byte, field string) (float64, error) {
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(string(line), ":")
		if name != field {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || unit != "kB" {
			return 0, fmt.Errorf("%s is %q", field, value)
		}
		return n * 1024, nil
	}
	return 0, fmt.Errorf("no %s in the status of the process", field)
}

// usage reads what the server has used so far.
func (p *process) usage() (u usage, err error) {
	if u.cpu, err = cpuTime(p.cmd.Process.Pid); err != nil {
		return u, err
	}
	res, err := http.Get("http://" + p.address + "/metrics")
	if err != nil {
		return u, err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return u, err
	}
	u.allocations, err = parseMetric(page, "go_memstats_mallocs_total")
	return u, err
}

// parseMetric reads a number without labels from a page of Prometheus.
func parseMetric(page []byte, name string) (float64, error) {
	for line := range bytes.Lines(page) {
		if value, ok := strings.CutPrefix(string(line), name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no %s in the metrics", name)
}
