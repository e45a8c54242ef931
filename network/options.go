package network

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"nspawnkit/settings"
)

// optionsFile is the file of the daemon's own settings in an [fs.FS] of the root directory.
const optionsFile = "etc/nspawnkit/networkd-lite.conf"

// Options are the settings of networkd-lite itself, networkd-lite.conf(5).
type Options struct {
	Firewall bool // add rules to the packet filters of others
}

// option is one key of the file. The function stores the value or says what is wrong with it.
type option struct {
	section, name string
	set           func(o *Options, value string) error
}

var options = [...]option{
	{"Network", "Firewall", func(o *Options, v string) error { return setBool(&o.Firewall, v) }},
}

// ReadOptions reads /etc/nspawnkit/networkd-lite.conf. What is wrong is a problem and has its default; so has all without a file.
func ReadOptions(root fs.FS) (Options, []settings.Problem) {
	o := Options{Firewall: true}
	origin := settings.Origin{File: "/" + optionsFile}
	data, err := contents(root, optionsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, []settings.Problem{{Origin: origin, Text: err.Error()}}
	}
	statements, problems, err := settings.Statements(origin.File, data)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), origin.File+":")
		return o, []settings.Problem{{Origin: origin, Text: "file not read: line " + text}}
	}
	for _, s := range statements {
		if strings.HasPrefix(s.Section, "X-") {
			continue // systemd.syntax(7): for other programs
		}
		if err := o.set(s); err != nil {
			problems = append(problems, settings.Problem{Origin: s.Origin, Text: fmt.Sprintf("[%s] %s=: %v", s.Section, s.Key, err)})
		}
	}
	return o, problems
}

func (o *Options) set(s settings.Statement) error {
	for _, option := range options {
		if option.section == s.Section && option.name == s.Key {
			return option.set(o, s.Value)
		}
	}
	return errors.New("unknown key; see networkd-lite.conf(5)")
}
