package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tunnelMetrics are those of E-IMZO TUNNEL.
type tunnelMetrics struct {
	open       prometheus.Gauge
	total      *prometheus.CounterVec
	handshakes prometheus.Histogram
	octets     *prometheus.CounterVec
	sent, got  prometheus.Counter
}

func newTunnelMetrics() tunnelMetrics {
	t := tunnelMetrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "imzo_tunnels_open", Help: "Tunnels that are open, without those in their handshake.",
		}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_tunnels_total", Help: "Connections to the tunnel that have ended, by result: ok, or why.",
		}, []string{"result"}),
		handshakes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "imzo_tunnel_handshake_duration_seconds", Help: "Time of handshakes that made a tunnel, with the question for the user's status and the connection to the destination.", Buckets: latency,
		}),
		octets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_tunnel_octets_total", Help: "Octets of destinations' and users' own, by direction: sent (to users), received (from them).",
		}, []string{"direction"}),
	}
	t.total.WithLabelValues("ok")
	t.sent, t.got = t.octets.WithLabelValues("sent"), t.octets.WithLabelValues("received")
	return t
}

func (t tunnelMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{t.open, t.total, t.handshakes, t.octets}
}

// TunnelOpened counts a tunnel as open, until it is given to TunnelClosed,
// after a handshake that took so long.
func (m *Metrics) TunnelOpened(handshake time.Duration) {
	m.tunnels.open.Inc()
	m.tunnels.handshakes.Observe(handshake.Seconds())
}

// TunnelClosed undoes TunnelOpened.
func (m *Metrics) TunnelClosed() { m.tunnels.open.Dec() }

// TunnelEnded counts a connection to the tunnel by what came of it, which is
// one of few words. It may have been refused before it was a tunnel.
func (m *Metrics) TunnelEnded(result string) { m.tunnels.total.WithLabelValues(result).Inc() }

// TunnelSent counts octets that went to a user.
func (m *Metrics) TunnelSent(n int) { m.tunnels.sent.Add(float64(n)) }

// TunnelReceived counts octets that came from a user.
func (m *Metrics) TunnelReceived(n int) { m.tunnels.got.Add(float64(n)) }
