// Package machined makes a container known to the service manager and to systemd-machined(8), so that machinectl(1),
// "systemctl -M" and "journalctl -M" find it, and speaks sd_notify(3) in both directions.
//
// systemd-machined listens on a Varlink socket since systemd 256 and on D-Bus always. Varlink comes first, since it works
// without a bus; D-Bus serves older versions and, by activation, a systemd-machined that does not run yet. The calls were
// tried with the real systemd-machined 252, 257 and 262. A connection is made when a call needs it and closed with the call,
// so that the supervisor of a container holds none while it idles.
package machined
