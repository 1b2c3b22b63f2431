package keyring

// nonblock is not needed: pipes have no names in folders.
const nonblock = 0
