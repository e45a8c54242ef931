package settings

import (
	"errors"
	"fmt"
	"strconv"
)

// ForwardJournalSocket is where journald of the container finds the socket of --forward-journal=.
const ForwardJournalSocket = "/run/host/journal/socket"

// forwardJournalCredential tells it so, see systemd.system-credentials(7).
const forwardJournalCredential = "journal.forward_to_socket"

// ForwardJournal is --forward-journal= with its limits.
type ForwardJournal struct {
	Path   string // of a file, if it ends in ".journal", or of a directory of the host; may be relative; empty: not forwarded
	Limits []JournalLimit
}

// JournalLimit is a limit that systemd-journal-remote(8) keeps, by the name of its option: "max-use", "keep-free" or
// "max-file-size" in bytes, "max-files".
type JournalLimit struct {
	Name  string
	Value uint64
}

func takeForwardJournal(c *CommandLine, v value) error {
	if v.text == "" {
		return errors.New("path is empty")
	}
	c.ForwardJournal.Path = v.text
	return checkText(v.text)
}

// takeJournalSize takes a number of bytes with the suffixes of base 1024.
func takeJournalSize(c *CommandLine, v value, name string) error {
	bytes, err := parseSize(v.text, binary)
	if err != nil {
		return err
	}
	c.ForwardJournal.limit(name, bytes)
	return nil
}

func takeJournalFiles(c *CommandLine, v value) error {
	files, err := strconv.ParseUint(v.text, 10, 64)
	if err != nil {
		return errors.New("not a number")
	}
	c.ForwardJournal.limit("max-files", files)
	return nil
}

// limit sets a limit, over what was set before.
func (f *ForwardJournal) limit(name string, value uint64) {
	for i := range f.Limits {
		if f.Limits[i].Name == name {
			f.Limits[i].Value = value
			return
		}
	}
	f.Limits = append(f.Limits, JournalLimit{name, value})
}

// finishForwardJournal adds the credential that tells journald where to send its entries.
func (c *CommandLine) finishForwardJournal() error {
	if c.ForwardJournal.Path == "" {
		if limits := c.ForwardJournal.Limits; len(limits) > 0 {
			return fmt.Errorf("--forward-journal-%s needs --forward-journal=", limits[0].Name)
		}
		return nil
	}
	for _, credential := range c.Credentials {
		if credential.ID == forwardJournalCredential {
			return fmt.Errorf("--forward-journal: there is a credential %s already", forwardJournalCredential)
		}
	}
	c.Credentials = append(c.Credentials, Credential{ID: forwardJournalCredential, Value: []byte(ForwardJournalSocket)})
	return nil
}
