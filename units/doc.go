// Package units turns the settings of a container into what systemd must know of it: a drop-in for its instance of
// systemd-nspawn@.service and the links of its [Install] section. nspawn-generator writes them into the generator folder
// (systemd.generator(7)); other programs may import the package for the same purpose.
//
// The package is pure: [Generate] and [Late] look at the host through an [io/fs.FS] and return files and links as values.
// What cannot be passed on safely is left out and returned as [settings.Problem], so that one bad line costs that line only.
// nspawn-exec asks the same function and refuses to start a container whose problems are errors.
//
// The text files that are the same for every container lie in units/static; meson.build installs them.
package units
