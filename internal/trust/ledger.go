package trust

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrDamaged is wrapped when the ledger holds a line that is not its own and
// is not the unfinished last one. Serving goes no further then: a lost
// revocation would be answered as good.
var ErrDamaged = errors.New("ledger damaged")

// maxLine bounds a ledger line; a certificate takes 2 KiB of it.
const maxLine = 1 << 20

type event string

const (
	eventIssue   event = "issue"
	eventRevoke  event = "revoke"
	eventSuspend event = "suspend"
	eventResume  event = "resume"
)

// entry is one line of the ledger.
type entry struct {
	Event   event     `json:"event"`
	Time    time.Time `json:"time"`
	Issuer  string    `json:"issuer"` // "root", "ca" or "vpn"
	Serial  string    `json:"serial"` // lower-case hex
	Profile Profile   `json:"profile,omitempty"`
	Reason  int       `json:"reason,omitempty"`
	Cert    []byte    `json:"certificate,omitempty"` // DER
}

// ledger is an append-only file of entries, one a line: a CRC-32 of the JSON
// that follows it. An entry counts once its line is complete and synced, so a
// kill in mid-write loses at most what was not acknowledged. Writers of
// several processes take turns by a lock file; readers follow the file as it
// grows, so that `imzo trust revoke` acts on a running `imzo trust serve`.
type ledger struct {
	path string
	lock *flock.Flock

	mu     sync.Mutex
	offset int64 // end of the last complete line read
	apply  func(entry) error
}

func openLedger(path string, apply func(entry) error) (*ledger, error) {
	l := &ledger{path: path, lock: flock.New(path + ".lock"), apply: apply}
	return l, l.refresh()
}

// moved tells a ledger that nobody uses yet where its file went.
func (l *ledger) moved(path string) {
	l.path, l.lock = path, flock.New(path+".lock")
}

// refresh applies the lines that were added since the last call.
func (l *ledger) refresh() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.follow()
}

func (l *ledger) follow() error {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		if l.offset > 0 {
			return fmt.Errorf("%w: %s is gone", ErrDamaged, l.path)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == l.offset {
		return nil
	}
	if info.Size() < l.offset {
		return fmt.Errorf("%w: %s has become shorter", ErrDamaged, l.path)
	}
	if _, err := f.Seek(l.offset, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // an unfinished last line is not there yet
		}
		if err != nil {
			return err
		}
		e, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("%w: %s at octet %d: %w", ErrDamaged, l.path, l.offset, err)
		}
		if err := l.apply(e); err != nil {
			return fmt.Errorf("%w: %s at octet %d: %w", ErrDamaged, l.path, l.offset, err)
		}
		l.offset += int64(len(line))
	}
}

func parseLine(line []byte) (entry, error) {
	sum, body, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if !ok || len(line) > maxLine || string(sum) != checksum(body) {
		return entry{}, errors.New("checksum differs")
	}
	var e entry
	err := json.Unmarshal(body, &e)
	return e, err
}

func checksum(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

// transact runs decide while no other process writes, with everything written
// so far applied, and appends the entry it returns. The entry is on the disk
// and applied when transact returns without error.
func (l *ledger) transact(decide func() (entry, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.lock.Lock(); err != nil {
		return fmt.Errorf("locking %s: %w", l.path, err)
	}
	defer l.lock.Unlock()
	if err := l.follow(); err != nil {
		return err
	}
	e, err := decide()
	if err != nil {
		return err
	}
	if err := l.append(e); err != nil {
		return err
	}
	return l.follow()
}

func (l *ledger) append(e entry) (err error) {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%s %s\n", checksum(body), body)
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// What lies behind the last complete line was cut off by a crash and has
	// not been acknowledged to anyone.
	if err := f.Truncate(l.offset); err != nil {
		return err
	}
	if _, err := f.WriteAt(line, l.offset); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if l.offset == 0 {
		return syncDir(filepath.Dir(l.path))
	}
	return nil
}
