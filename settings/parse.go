package settings

// Parse reads the text of one trusted file as the main file of machine, without drop-ins; name is what problems call it.
func Parse(name, machine string, data []byte) (*File, []Problem) {
	r := reader{file: &File{Path: name, Trusted: true}, machine: machine}
	r.read(name, data, true)
	return r.file, r.problems
}
