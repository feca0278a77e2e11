// Package systemd tells a service manager how the daemon is, by the protocol of sd_notify(3): that it
// accepts requests, reads its configuration again, stops, and, for the watchdog, that it is alive.
//
// Without $NOTIFY_SOCKET it tells nobody.
package systemd
