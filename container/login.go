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
