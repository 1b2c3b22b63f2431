package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// AuditFile is the name of the audit log in its folder. Older ones are
// audit.log.1 and so on.
const AuditFile = "audit.log"

// Bounds of the audit log.
const (
	auditSize  = 8 << 20
	auditFiles = 8
	// auditRefusals is how many calls without a key a page may have written in
	// a minute: what pushes old lines out must cost more than a loop.
	auditRefusals = 60
	auditOrigins  = 1024
)

// AuditLog tells which site did what with which key, in lines of JSON. Lines of
// signatures are on the disk when the page gets its answer. It holds no
// content, no secret, and of documents their size and digest.
//
//	{"time":"2026-03-01T10:00:00+05:00","origin":"https://example.uz","function":"pkcs7.create_pkcs7","status":1,"serial":"78ff70c3","octets":13,"digest":"3369cd…"}
type AuditLog struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex // of what follows and the file's content
	file    *os.File
	size    int64
	handler slog.Handler
	pages   map[string]*pageLines
	failed  bool
	closed  bool // file is; a new one could not be begun

	syncing  sync.Mutex
	written  uint64 // lines, under mu
	synced   uint64 // lines, under syncing
	maxSize  int64
	maxFiles int
}

// pageLines counts what a page has written in a minute.
type pageLines struct {
	since   time.Time
	written int
	left    int // out
}

// OpenAudit opens the log in a folder, which must be there.
func OpenAudit(dir string, now func() time.Time, log *slog.Logger) (*AuditLog, error) {
	l := &AuditLog{path: filepath.Join(dir, AuditFile), now: now, log: log, pages: map[string]*pageLines{}, maxSize: auditSize, maxFiles: auditFiles}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("the audit log cannot be opened: %w", err)
	}
	l.handler = slog.NewJSONHandler(auditWriter{l}, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}})
	return l, nil
}

func (l *AuditLog) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

// quiet are functions that neither use a key nor ask the person; those that
// list or describe are told by their names.
func quiet(function string) bool {
	if strings.Contains(function, ".list_") {
		return true
	}
	return slices.Contains([]string{
		"version", "apikey", "apidoc", "app.get_jvm_version", "app.change_ui_lang", "x509.get_certificate_info", "x509.verify_certificate",
		"pkcs10.get_pkcs10_info", "ckc.supported_ckc", "cryptoauth.get_digest_hex",
	}, function)
}

// Write is [Options.Audit]. A line that cannot be written is told in the
// program's own log.
func (l *AuditLog) Write(attrs []slog.Attr) {
	var origin, function string
	used := false
	for _, a := range attrs {
		switch a.Key {
		case "origin":
			origin = a.Value.String()
		case "function":
			function = a.Value.String()
		case "serial":
			used = true
		}
	}
	if !used && quiet(function) {
		return
	}
	l.mu.Lock()
	if !used {
		left, ok := l.room(origin)
		if !ok {
			l.mu.Unlock()
			return
		}
		if left > 0 {
			attrs = append(attrs, slog.Int("left_out", left))
		}
	}
	record := slog.NewRecord(l.now(), slog.LevelInfo, "", 0)
	record.AddAttrs(attrs...)
	err := l.handler.Handle(context.Background(), record)
	l.written++
	line, file := l.written, l.file
	l.mu.Unlock()
	if err == nil && used {
		err = l.sync(file, line)
	}
	l.tell(err)
}

// room tells whether a page may write a line now, and how many of its lines
// were left out before it.
func (l *AuditLog) room(origin string) (left int, ok bool) {
	p := l.pages[origin]
	now := l.now()
	if p == nil || now.Sub(p.since) >= time.Minute {
		if p != nil {
			left = p.left
		} else if len(l.pages) >= auditOrigins {
			clear(l.pages)
		}
		p = &pageLines{since: now}
		l.pages[origin] = p
	}
	if p.written >= auditRefusals {
		p.left++
		return 0, false
	}
	p.written++
	return left, true
}

// sync brings a line to the disk; those who write at the same time share one.
func (l *AuditLog) sync(file *os.File, line uint64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= line {
		return nil
	}
	l.mu.Lock()
	upTo := l.written
	l.mu.Unlock()
	if err := file.Sync(); err != nil && !errors.Is(err, fs.ErrClosed) { // a file that was full was synced then
		return err
	}
	l.synced = upTo
	return nil
}

// tell tells once that lines are lost, and once that they are not any more.
func (l *AuditLog) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && !l.failed:
		l.log.Error("the audit log cannot be written", "file", l.path, "error", err.Error())
	case err == nil && l.failed:
		l.log.Info("the audit log is written again", "file", l.path)
	}
	l.failed = err != nil
}

// auditWriter writes lines, under the lock.
type auditWriter struct{ *AuditLog }

func (w auditWriter) Write(line []byte) (int, error) {
	if w.closed { // a new file could not be begun
		if err := w.open(); err != nil {
			return 0, err
		}
		w.AuditLog.closed = false
	}
	if w.size > 0 && w.size+int64(len(line)) > w.maxSize {
		if err := w.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(line)
	w.size += int64(n)
	return n, err
}

// rotate begins a new file. The one before keeps its lines should that fail.
func (w auditWriter) rotate() error {
	if err := w.file.Sync(); err != nil {
		return err
	}
	name := func(i int) string { return fmt.Sprintf("%s.%d", w.path, i) }
	for i := w.maxFiles - 2; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// Windows renames no file that is open.
	if err := w.file.Close(); err != nil {
		return err
	}
	w.AuditLog.closed = true
	renamed := os.Rename(w.path, name(1))
	if err := w.open(); err != nil {
		return errors.Join(renamed, err)
	}
	w.AuditLog.closed = false
	if renamed != nil { // the file grows until it can be renamed
		w.log.Warn("the audit log cannot be rotated", "file", w.path, "error", renamed.Error())
	}
	return nil
}

// Close ends the log.
func (l *AuditLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.file.Sync(), l.file.Close())
}
