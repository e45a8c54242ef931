package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
)

// renumberRequests is the directory where the verb leaves a file for each link that is to get another subnet, and the daemon takes it.
type renumberRequests string

// take returns the names of the links that were asked for since the last call.
func (d renumberRequests) take() []string {
	entries, _ := os.ReadDir(string(d)) // one that does not exist holds no requests
	var names []string
	for _, entry := range entries {
		if network.ValidInterfaceName(entry.Name()) != nil || entry.Name()[0] == '.' {
			continue // of a file that is still being written
		}
		if os.Remove(filepath.Join(string(d), entry.Name())) == nil {
			names = append(names, entry.Name())
		}
	}
	return names
}

// renumberTime is how long the daemon has for its answer: it takes the carrier of containers away meanwhile.
const renumberTime = 30 * time.Second

// renumber asks the daemon to give a link another subnet, and waits until it has done so.
func renumber(p paths, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("renumber needs the name of one link")
	}
	name := args[0]
	before, err := chosenSubnet(p, name)
	if err != nil {
		return err
	}
	request := filepath.Join(p.requests(), name)
	if err := kernel.ReplaceFile(request, nil); err != nil {
		return err
	}
	for end := time.Now().Add(renumberTime); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		now, err := chosenSubnet(p, name)
		if err != nil {
			return err
		}
		if now != before {
			fmt.Fprintf(stdout, "%s: %s, was %s\n", name, now, before)
			return nil
		}
	}
	if err := os.Remove(request); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%s keeps %s; see why with: journalctl -u networkd-lite", name, before)
}

// chosenSubnet returns the subnet that the daemon chose for a link.
func chosenSubnet(p paths, link string) (string, error) {
	s, err := loadStatus(p)
	if err != nil {
		return "", err
	}
	for _, l := range s.Links {
		switch {
		case l.Name != link:
		case l.Subnet == "":
			return "", fmt.Errorf("no subnet was chosen for %s: %s (%s)", l.Name, l.Text, l.File)
		default:
			return l.Subnet, nil
		}
	}
	return "", fmt.Errorf("no link %q is looked after", link)
}
