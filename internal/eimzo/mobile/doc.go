// Package mobile is the gateway of ID-CARD E-IMZO MOBILE: it takes a signature
// that an ID card has made in a phone, checks it, makes the detached PKCS#7 of
// it and uploads this to the site that asked for it (guide 3.2).
//
//	sites, err := mobile.OpenSites("data", time.Now)
//	site, err := sites.Add(ctx, mobile.Site{UploadURL: "https://example.uz/frontend/mobile/upload"}, rand.Reader)
//	gateway, err := mobile.New(mobile.Options{Sites: sites, Anchors: anchors})
//	err = httpx.Serve(ctx, listener, gateway, httpx.Options{})
//
// It stands where the Centre's gateway stands. What the site sees of it, the
// upload, is that of the original; what the phone sees is our own (package
// phone), since the original's is not public. Package page is a phone in the
// browser, package site the script for a site's page.
//
// The gateway calls no address but the UPLOAD URLs that the administrator has
// registered, follows no redirects, and keeps no signatures. It does not see
// documents, only their digests.
package mobile
