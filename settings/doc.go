// Package settings reads .nspawn files (systemd.nspawn(5)) and the command line of systemd-nspawn(1) and combines them
// into one effective [Settings], each value with the place it comes from.
//
// The package is pure: it reads through an [io/fs.FS] and never touches the kernel. Problems are values ([Problem]) with
// FILE:LINE; the caller decides whether they are logged (nspawn-generator) or end the start (nspawn-exec).
package settings
