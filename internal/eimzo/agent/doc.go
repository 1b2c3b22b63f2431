// Package agent is the desktop program that signs: a drop-in for E-IMZO on
// 127.0.0.1. Pages call its functions over a WebSocket, one JSON object a
// message:
//
//	{"plugin":"pfx","name":"list_all_certificates","arguments":[]}
//	{"success":true,"status":1,"certificates":[...]}
//
// Every function is a row of one table (functions.go): the dispatch, the
// documentation that pages can ask for (apidoc) and the tests all read it. A
// plugin is a file that has its rows and what they do.
package agent
