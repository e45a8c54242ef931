// Package static holds the unit and network files that are the same for every container. meson.build fills in the
// folders (@bindir@, …) of the .in files and installs all of them; the tests check the filled-in form.
package static
