// Package generator is the working part of nspawn-generator: it reads every .nspawn file, asks package units what systemd
// must know of the containers, and writes that into the folders of a generator (systemd.generator(7)).
package generator
