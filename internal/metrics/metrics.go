// Package metrics counts what a server does, for Prometheus.
//
//	m := metrics.New("1.2.3")
//	m.Verdict("/backend/auth", 1)
//	http.Handle("/metrics", m.Handler())
//
// All names begin with imzo_, and what stands in their labels is bounded: routes
// are those that are served, never a path somebody made up, and addresses out
// of certificates are left out. Nothing of a document comes here.
package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// latency are the limits of the buckets of all durations, in seconds: from a
// verification in memory to the eight seconds after which a request is given
// up.
var latency = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 8}

// Expiry is a certificate whose end somebody has to know of.
type Expiry struct {
	Kind     string // "root", "link", "tls", "tunnel"
	Serial   string
	Subject  string
	NotAfter time.Time
}

// Metrics are the counters of one server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	verdicts   *prometheus.CounterVec
	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	refused    *prometheus.CounterVec
	revocation *prometheus.CounterVec
	questions  prometheus.Histogram
	stamps     *prometheus.CounterVec
	stampTook  prometheus.Histogram
	store      *prometheus.CounterVec
	storeTook  *prometheus.HistogramVec
	tunnels    tunnelMetrics

	expiry *expiryCollector
}

// New makes counters that start at zero. version is what imzo_build_info says.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_verdicts_total", Help: "Answers about documents and log-ins, by route and status of the guide.",
		}, []string{"route", "status"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_http_requests_total", Help: "HTTP requests, by route and HTTP status.",
		}, []string{"route", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "imzo_http_request_duration_seconds", Help: "Time from the header of a request to the end of its answer.", Buckets: latency,
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "imzo_http_requests_in_flight", Help: "Requests that are being answered.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_rate_limited_total", Help: "Requests answered with 429, by route.",
		}, []string{"route"}),
		revocation: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_revocation_total", Help: "Questions for the status of a certificate: hit (a kept answer), miss (asked), shared (another asked), refresh (asked ahead of time), error.",
		}, []string{"result"}),
		questions: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "imzo_revocation_duration_seconds", Help: "Time that OCSP responders and CRLs take.", Buckets: latency,
		}),
		stamps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_timestamps_total", Help: "Questions to timestamp authorities, by result (ok, error).",
		}, []string{"result"}),
		stampTook: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "imzo_timestamp_duration_seconds", Help: "Time that timestamp authorities take.", Buckets: latency,
		}),
		store: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "imzo_store_operations_total", Help: "What was asked of Redis: by store (challenges, documents), operation and result (ok, error).",
		}, []string{"store", "operation", "result"}),
		storeTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "imzo_store_duration_seconds", Help: "Time that Redis takes, by store (challenges, documents) and operation.", Buckets: latency,
		}, []string{"store", "operation"}),
		tunnels: newTunnelMetrics(),
		expiry: &expiryCollector{description: prometheus.NewDesc(
			"imzo_certificate_expiry_days", "Days until a certificate ends; negative when it has ended.", []string{"kind", "serial"}, nil)},
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "imzo_build_info", Help: "Always 1; the version is in the label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(
		build, m.verdicts, m.requests, m.durations, m.inFlight, m.refused, m.revocation, m.questions, m.stamps, m.stampTook, m.store, m.storeTook, m.expiry,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.registry.MustRegister(m.tunnels.collectors()...)
	return m
}

// Handler serves the counters in the text format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Verdict counts an answer with a status of the guide. route is one of those
// that are served.
func (m *Metrics) Verdict(route string, status int) {
	m.verdicts.WithLabelValues(route, strconv.Itoa(status)).Inc()
}

// Begin counts a request as being answered until the function it returns is
// called with what came of it. route is "" for what is not served.
func (m *Metrics) Begin() (end func(route string, code int, took time.Duration)) {
	m.inFlight.Inc()
	return func(route string, code int, took time.Duration) {
		m.inFlight.Dec()
		if route == "" {
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
		m.durations.WithLabelValues(route).Observe(took.Seconds())
	}
}

// RateLimited counts a request that was one too many.
func (m *Metrics) RateLimited(route string) { m.refused.WithLabelValues(route).Inc() }

// Revocation counts a question for a status. took is zero when nobody was
// asked.
func (m *Metrics) Revocation(result string, took time.Duration) {
	m.revocation.WithLabelValues(result).Inc()
	if took > 0 {
		m.questions.Observe(took.Seconds())
	}
}

// Timestamp counts a question to a timestamp authority.
func (m *Metrics) Timestamp(err error, took time.Duration) {
	m.stamps.WithLabelValues(result(err)).Inc()
	m.stampTook.Observe(took.Seconds())
}

// Store counts an operation of a store, which is "challenges" or "documents".
func (m *Metrics) Store(store, operation string, err error, took time.Duration) {
	m.store.WithLabelValues(store, operation, result(err)).Inc()
	m.storeTook.WithLabelValues(store, operation).Observe(took.Seconds())
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

// Expiries makes list the source of imzo_certificate_expiry_days; it is asked
// whenever the metrics are read, with the time of now.
func (m *Metrics) Expiries(list func() []Expiry, now func() time.Time) {
	m.expiry.mu.Lock()
	defer m.expiry.mu.Unlock()
	m.expiry.list, m.expiry.now = list, now
}

// expiryCollector reads the certificates when it is read, since a reload
// changes them.
type expiryCollector struct {
	description *prometheus.Desc
	mu          sync.Mutex
	list        func() []Expiry
	now         func() time.Time
}

// Describe implements prometheus.Collector.
func (c *expiryCollector) Describe(out chan<- *prometheus.Desc) { out <- c.description }

// Collect implements prometheus.Collector.
func (c *expiryCollector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	list, now := c.list, c.now
	c.mu.Unlock()
	if list == nil {
		return
	}
	at := now()
	var seen [][2]string
	for _, e := range list() {
		key := [2]string{e.Kind, e.Serial}
		if slices.Contains(seen, key) {
			continue // twice the same would spoil the whole page
		}
		seen = append(seen, key)
		out <- prometheus.MustNewConstMetric(c.description, prometheus.GaugeValue, e.NotAfter.Sub(at).Hours()/24, e.Kind, e.Serial)
	}
}
