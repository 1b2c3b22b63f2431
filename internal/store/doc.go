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
package store
