// Package userdb reads user and group records of the host and makes those that a container gets for a user bound into it:
// --bind-user= of systemd-nspawn(1), in the form of nss-systemd(8).
package userdb
