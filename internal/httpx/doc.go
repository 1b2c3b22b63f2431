// Package httpx serves an http.Handler the way every service of Imzo is
// served: with time-outs and limits, a request id, one access log line a
// request, recovery from panics and a graceful end.
//
//	ln, err := net.Listen("tcp", "127.0.0.1:8080")
//	...
//	err = httpx.Serve(ctx, ln, handler, httpx.Options{Logger: log})
//
// Serve returns when ctx is done and the requests in flight have finished.
// Handlers read bodies with [ReadBody], refuse with [Text] and add what they
// learn to the access log line with [Annotate].
//
// A body or an answer may take as long as it moves: the time-outs are for
// standing still, so a document of a hundred megabytes passes a slow line and
// a client that sends nothing is cut off.
package httpx
