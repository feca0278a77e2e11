// Package health answers whether the daemon lives and whether it is ready: the routes that need no
// token. However often they are requested, the database and the engine are pinged once a second.
package health
