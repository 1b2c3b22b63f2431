// Package dsv answers the SOAP calls of DSV-SERVER, the predecessor of
// E-IMZO-SERVER, for sites that never moved: service Pkcs7Service at
// /dsvs/pkcs7/v1, SOAP 1.1, document/literal.
//
//	handler := dsv.New(dsv.Options{REST: server.Handler()})
//
// Every call becomes a request to the REST endpoint that does the same, and
// its answer becomes the text that clients know: JSON with success, reason and
// pkcs7Info inside of <return>, where many of them cut it out with string
// functions, so that not one octet around it may differ.
//
//	verifyPkcs7(pkcs7B64)                    /backend/pkcs7/verify/attached
//	verifyPkcs7Detached(dataB64, pkcs7B64)   /backend/pkcs7/verify/detached
//	join2Pkcs7Attached(pkcs7AttachedB64A,
//	                   pkcs7AttachedB64B)    /frontend/pkcs7/join
//
// success is true only where the REST status is 1: clients that look at nothing
// else must not take a wrong signature for a good one.
//
// createPkcs7(document, apikey), which signs, is in the WSDL, because stubs
// made from it have it, and always answered with a fault: this server holds no
// user's key. The user's agent signs.
//
// What clients send is XML of strangers. A document type, processing
// instructions, entities beside the five of XML, deep nesting, long tags and
// many of them are refused before a parser sees them. SOAP 1.2, attachments
// and WS-* are not spoken.
package dsv
