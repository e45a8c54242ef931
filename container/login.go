package container

import (
	"fmt"
	"strings"

	"nspawnkit/container/kernel"
)

// loginProblems finds in a root directory what makes logging in fail or complain, each with the way out.
func loginProblems(root *kernel.Root) (problems []string) {
	read := func(path string) (text string, found bool) {
		data, err := root.ReadFile(path, maxSmallFile)
		return string(data), err == nil
	}
	if terminals, found := read("etc/securetty"); found {
		pam, hasPAM := read("etc/pam.d/login")
		if refusesTerminals(terminals) && (!hasPAM || mentions(pam, "pam_securetty")) {
			problems = append(problems, "its /etc/securetty lets root log in on no terminal of \"machinectl login\": add lines pts/0, pts/1, … to it, or remove it")
		}
	}
	for _, path := range []string{"etc/locale.conf", "etc/default/locale"} {
		text, found := read(path)
		locale := ParseOSRelease([]byte(text))["LANG"] // of the same syntax
		if found && locale != "" && root.Exists("usr/lib/locale") && !hasLocale(root, locale) {
			problems = append(problems, fmt.Sprintf("its /%s asks for the locale %q, which is not installed: generate it with locale-gen(8) or localedef(1)", path, locale))
		}
		if found {
			break // systemd reads the first that is there
		}
	}
	return problems
}

// loginTerminal is the $TERM of who logs in by "machinectl login": the terminal is not known before, but hardly any today is not like
// this one. systemd takes it for a vt220, which has no colors; since 257 it asks the terminal, which few answer.
const loginTerminal = "xterm-256color"

// knowsColors reports whether programs of the root directory know a [loginTerminal].
func knowsColors(root *kernel.Root) bool {
	for _, directory := range []string{"etc/terminfo", "lib/terminfo", "usr/lib/terminfo", "usr/share/terminfo"} {
		if root.Exists(directory + "/x/" + loginTerminal) {
			return true
		}
	}
	return false
}

// loginNodes are what tells systemd of a [loginTerminal], in /run: a drop-in of what "machinectl login" starts, in the directory for those
// that live until the next boot (systemd.unit(5)). A directory /run/systemd/system would say that systemd runs (sd_booted(3)).
func loginNodes() []kernel.Node {
	const place = "systemd/system.control/container-getty@.service.d"
	var nodes []kernel.Node
	for _, directory := range []string{"systemd", "systemd/system.control", place} {
		nodes = append(nodes, kernel.Node{Path: directory, Mode: kernel.Directory | 0o755})
	}
	text := "# Written by nspawn-exec: a drop-in with a later name, such as 50-terminal.conf, wins.\n[Service]\nEnvironment=TERM=" + loginTerminal + "\n"
	return append(nodes, kernel.Node{Path: place + "/10-nspawn-exec.conf", Mode: kernel.Regular | 0o444, Data: text})
}

// refusesTerminals reports whether securetty(5) has no pseudo-terminal.
func refusesTerminals(securetty string) bool {
	for line := range strings.Lines(securetty) {
		if strings.HasPrefix(strings.TrimSpace(line), "pts/") {
			return false
		}
	}
	return true
}

// mentions reports whether a word is in a line that is no comment.
func mentions(text, word string) bool {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// hasLocale reports whether the C library has a locale, or may have it: what is in an archive is not looked at.
func hasLocale(root *kernel.Root, locale string) bool {
	if builtIn := localeDirectory(locale); builtIn == "C" || builtIn == "POSIX" || builtIn == "C.utf8" {
		return true
	}
	if strings.Contains(locale, "/") || root.Exists("usr/lib/locale/locale-archive") {
		return true
	}
	return root.Exists("usr/lib/locale/"+localeDirectory(locale)) || root.Exists("usr/lib/locale/"+locale)
}

// localeDirectory returns the directory of a locale: its codeset has only small letters and digits there ("de_DE.utf8").
func localeDirectory(locale string) string {
	name, codeset, found := strings.Cut(locale, ".")
	if !found {
		return locale
	}
	codeset, modifier, hasModifier := strings.Cut(codeset, "@")
	codeset = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(codeset))
	if hasModifier {
		codeset += "@" + modifier
	}
	return name + "." + codeset
}
