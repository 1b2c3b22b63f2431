package tunnel

import (
	"errors"
	"fmt"
)

// Alert says why a tunnel ended, to the other end too (docs/tunnel-protocol.md,
// "Alerts"). It never says more than the other end has to know.
type Alert uint8

// The alerts. Those from AlertUntrusted to AlertName are about the certificates
// of the end that gets the alert.
const (
	AlertInternal    Alert = 1  // this end failed, and cannot say why
	AlertProtocol    Alert = 2  // a message that is malformed, or not due
	AlertVersion     Alert = 3  // no version in common
	AlertSuite       Alert = 4  // no suite in common
	AlertRecord      Alert = 5  // a record that is not authentic
	AlertDomain      Alert = 6  // the server has no certificate of this domain
	AlertUntrusted   Alert = 7  // no path to a trust anchor, or not for this use
	AlertExpired     Alert = 8  // not valid at this time
	AlertRevoked     Alert = 9  // revoked or suspended
	AlertStatus      Alert = 10 // the status cannot be found out
	AlertName        Alert = 11 // a certificate of another domain
	AlertProof       Alert = 12 // possession of the key is not proven
	AlertDestination Alert = 13 // the server has no destination of this number
	AlertUnreachable Alert = 14 // the destination cannot be reached
	AlertBusy        Alert = 15 // too many tunnels
	AlertTimeout     Alert = 16 // the handshake took too long
	AlertIdle        Alert = 17 // nothing was sent for too long
	AlertStopping    Alert = 18 // this end shuts down
	AlertAborted     Alert = 19 // the connection behind this end broke off
)

var alertTexts = map[Alert]string{
	AlertInternal:    "internal error",
	AlertProtocol:    "message not understood or not due",
	AlertVersion:     "no protocol version in common",
	AlertSuite:       "no cipher suite in common",
	AlertRecord:      "record is not authentic",
	AlertDomain:      "domain not served here",
	AlertUntrusted:   "certificate not trusted",
	AlertExpired:     "certificate not valid at this time",
	AlertRevoked:     "certificate revoked",
	AlertStatus:      "certificate status unknown",
	AlertName:        "certificate of another domain",
	AlertProof:       "possession of the key not proven",
	AlertDestination: "no such destination",
	AlertUnreachable: "destination cannot be reached",
	AlertBusy:        "too many tunnels",
	AlertTimeout:     "handshake took too long",
	AlertIdle:        "idle for too long",
	AlertStopping:    "shutting down",
	AlertAborted:     "the connection behind the tunnel broke off",
}

// String describes the alert, for people.
func (a Alert) String() string {
	if s, ok := alertTexts[a]; ok {
		return s
	}
	return fmt.Sprintf("alert %d", uint8(a))
}

// Error is why a tunnel was not made, or ended before its time.
type Error struct {
	Alert Alert
	// Remote tells that the other end said so. Until its certificate is
	// verified that may be anybody on the way.
	Remote bool
	// Err is the cause at this end, nil when Alert says it all. It is not told
	// to the other end.
	Err error
}

func (e *Error) Error() string {
	switch {
	case e.Remote:
		return "tunnel: the other end: " + e.Alert.String()
	case e.Err != nil:
		return "tunnel: " + e.Alert.String() + ": " + e.Err.Error()
	default:
		return "tunnel: " + e.Alert.String()
	}
}

func (e *Error) Unwrap() error { return e.Err }

// ErrTruncated is the end of a connection without the end of the tunnel: what
// came is authentic, but what was sent after it is not known.
var ErrTruncated = errors.New("tunnel: the connection ended in mid-stream")

func fault(a Alert, format string, args ...any) *Error {
	return &Error{Alert: a, Err: fmt.Errorf(format, args...)}
}

// asError makes an *Error of any error, by default with the alert.
func asError(err error, a Alert) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Alert: a, Err: err}
}
