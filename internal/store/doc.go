// Package store holds the shared state of the services behind narrow
// interfaces, one for each kind of state.
//
// [Challenges] are the random values of /frontend/challenge, which may be
// redeemed once:
//
//	challenges := store.NewMemory(time.Now)
//	err := challenges.Issue(ctx, id, 2*time.Minute)
//	...
//	ok, err := challenges.Take(ctx, id) // true for exactly one caller
//
// [Memory] keeps them in this process, which is right for one server. [Redis]
// is for several servers behind one balancer: a challenge that one has issued
// may come back to another, and to two of them at once.
//
// [Documents] are what E-IMZO MOBILE signs: created by a site, signed once by a
// phone, polled by a page and then read, until they are over:
//
//	documents := store.NewMemoryDocuments(time.Now)
//	err := documents.Create(ctx, id, store.Document{Kind: store.Signing, Created: now}, 5*time.Minute)
//	...
//	err = documents.Upload(ctx, id, store.Signed{PKCS7: pkcs7, At: now}, 10*time.Minute)
//	...
//	uploaded, err := documents.Uploaded(ctx, id)
//	document, err := documents.Document(ctx, id)
//
// [MemoryDocuments] and [RedisDocuments] keep them. What is kept is not
// verified here, and ids are drawn by who creates.
package store
