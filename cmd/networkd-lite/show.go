package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network/kernel"
	"nspawnkit/network/manager"
	"nspawnkit/terminal"
)

// table is something to print for people and, as JSON, for programs.
type table interface {
	rows() [][]string // the first is the heading
}

// show prints a table; "--json" is the only argument.
func show(args []string, stdout io.Writer, read func() (table, error)) error {
	asJSON := slices.Equal(args, []string{"--json"})
	if len(args) > 0 && !asJSON {
		return fmt.Errorf("unknown argument %q; see VERBS in networkd-lite(8)", args[0])
	}
	t, err := read()
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "\t")
		return encoder.Encode(t)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range t.rows() {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	heading, rest, _ := strings.Cut(b.String(), "\n")
	_, err = fmt.Fprintf(stdout, "%s\n%s", terminal.StyleOf(stdout, os.LookupEnv).Heading(heading), rest)
	return err
}

// status is what the daemon wrote.
type status struct{ manager.Status }

func readStatus(p paths) (table, error) {
	s, err := loadStatus(p)
	return s, err
}

// loadStatus reads what the running daemon does.
func loadStatus(p paths) (s status, err error) {
	if err := mustRun(p); err != nil {
		return s, err
	}
	data, err := os.ReadFile(filepath.Join(p.runtime, manager.StatusFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s.Status)
}

// mustRun fails when the daemon does not run.
func mustRun(p paths) error {
	running, err := kernel.Locked(p.lock())
	if err == nil && !running {
		err = errors.New("not running; start it with: systemctl start networkd-lite")
	}
	return err
}

func (s status) rows() [][]string {
	rows := [][]string{{"LINK", "STATE", "FILE"}}
	for _, l := range s.Links {
		rows = append(rows, []string{l.Name, l.Text, l.File})
	}
	for _, l := range s.Links {
		for _, problem := range l.Problems {
			rows = append(rows, []string{l.Name + ": " + problem})
		}
	}
	return rows
}

// leases are all that have not ended.
type leases []lease

type lease struct {
	Link      string    `json:"link"`
	Address   string    `json:"address"`
	Hardware  string    `json:"hardware"`
	Container string    `json:"container,omitempty"`
	HostName  string    `json:"hostName,omitempty"` // as the container calls itself
	Expires   time.Time `json:"expires"`
}

func readLeases(p paths) (table, error) {
	list := leases{}
	for _, folder := range []string{p.state, p.runtime} {
		files, err := filepath.Glob(filepath.Join(folder, "*"+journalSuffix))
		if err != nil {
			return nil, err
		}
		for _, path := range files {
			file, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			list.add(strings.TrimSuffix(filepath.Base(path), journalSuffix), dhcp.ReadLeases(file), time.Now())
			file.Close()
		}
	}
	return list, nil
}

// add takes the leases of a link that last.
func (l *leases) add(link string, all []dhcp.Lease, now time.Time) {
	for _, found := range all {
		if found.Expires.After(now) {
			*l = append(*l, lease{link, found.Address.String(), found.Hardware.String(), found.Container(), found.HostName, found.Expires})
		}
	}
}

func (l leases) rows() [][]string {
	rows := [][]string{{"LINK", "ADDRESS", "HARDWARE", "CONTAINER", "HOSTNAME", "EXPIRES"}}
	for _, one := range l {
		rows = append(rows, []string{one.Link, one.Address, one.Hardware, one.Container, one.HostName, one.Expires.Format(time.DateTime)})
	}
	return rows
}
