package networkd

import (
	"bytes"
	"io/fs"
	"strconv"
)

// State is what systemd-networkd says of a link.
type State struct {
	File   string // the .network file; empty: none, or not known
	Failed bool   // it could not set up the link
	Done   bool   // it has set up the link, or could not
}

// ReadState reads it from LinksDirectory below root (sd-network(3), sd_network_link_get_network_file).
func ReadState(root fs.FS, index int) (s State) {
	data, _ := fs.ReadFile(root, LinksDirectory+"/"+strconv.Itoa(index)) // without it nothing is known
	for line := range bytes.Lines(data) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte("="))
		switch string(name) {
		case "NETWORK_FILE":
			s.File = string(value)
		case "ADMIN_STATE":
			s.Failed = string(value) == "failed"
			s.Done = s.Failed || string(value) == "configured"
		}
	}
	return s
}
