package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Credential is one of those that --load-credential= and --set-credential= of systemd-nspawn(1) pass to the container.
type Credential struct {
	ID string

	Value  []byte // of --set-credential=; a secret
	Source string // of --load-credential=, instead: a path, or without "/" the ID of a credential that nspawn-exec got itself
}

// String leaves the secret out.
func (c Credential) String() string { return c.ID }

// maxCredentialID is how long the ID of a credential may be, in bytes: that of a file name.
const maxCredentialID = 255

func takeSetCredential(c *CommandLine, v value) error {
	return c.addCredential(v.text, func(credential *Credential, text string) (err error) {
		credential.Value, err = unescape(text)
		return err
	})
}

func takeLoadCredential(c *CommandLine, v value) error {
	return c.addCredential(v.text, func(credential *Credential, text string) error {
		if !strings.Contains(text, "/") && !validCredentialID(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("%s is neither a path nor the ID of a credential", printable(text))
		}
		credential.Source = text
		return nil
	})
}

// addCredential takes ID:TEXT. Errors do not show what may be secret.
func (c *CommandLine) addCredential(argument string, set func(*Credential, string) error) error {
	id, text, found := strings.Cut(argument, ":")
	credential := Credential{ID: id}
	switch {
	case !found:
		return errors.New("has no ':' between ID and value")
	case !validCredentialID(id):
		return errors.New("the ID of a credential is that of a file: up to 255 printable ASCII characters, no '/', ':' or '\\'")
	}
	for _, other := range c.Credentials {
		if other.ID == id {
			return fmt.Errorf("there are two credentials %s", id)
		}
	}
	if err := set(&credential, text); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	c.Credentials = append(c.Credentials, credential)
	return nil
}

func validCredentialID(id string) bool {
	for i := range len(id) {
		if c := id[i]; c < ' ' || c > '~' || c == '/' || c == ':' || c == '\\' {
			return false
		}
	}
	return id != "" && id != "." && id != ".." && len(id) <= maxCredentialID
}

var errUnescape = errors.New("bad escape sequence in the value")

// unescape resolves the escape sequences of C, and \s for a space, as systemd's SetCredential= has them.
func unescape(text string) ([]byte, error) {
	data := make([]byte, 0, len(text))
	for text != "" {
		if text[0] != '\\' {
			data, text = append(data, text[0]), text[1:]
			continue
		}
		if len(text) < 2 {
			return nil, errUnescape
		}
		if i := strings.IndexByte(`abfnrtvs\"'`, text[1]); i >= 0 {
			data, text = append(data, "\a\b\f\n\r\t\v \\\"'"[i]), text[2:]
			continue
		}
		var err error
		if data, text, err = unescapeNumber(data, text[1:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// unescapeNumber appends what xHH, uHHHH, UHHHHHHHH or three octal digits stand for, and returns the text behind.
func unescapeNumber(data []byte, text string) ([]byte, string, error) {
	start, digits, base, most := 1, 0, 16, uint64(utf8.MaxRune)
	switch text[0] {
	case 'x':
		digits, most = 2, 0xff
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	default:
		start, digits, base, most = 0, 3, 8, 0xff
	}
	end := start + digits
	if len(text) < end {
		return nil, "", errUnescape
	}
	number, err := strconv.ParseUint(text[start:end], base, 32)
	if err != nil || number > most {
		return nil, "", errUnescape
	}
	if most == 0xff {
		return append(data, byte(number)), text[end:], nil
	}
	if !utf8.ValidRune(rune(number)) {
		return nil, "", errUnescape
	}
	return utf8.AppendRune(data, rune(number)), text[end:], nil
}

// withoutSecrets leaves out the options whose arguments are secret, see [Record].
func withoutSecrets(arguments []string) []string {
	g := getopt{args: arguments}
	kept := []string{}
	for {
		rest := g.args
		o, _, err := g.next()
		if o == nil || err != nil {
			return append(kept, rest...)
		}
		if !o.secret {
			kept = append(kept, rest[:len(rest)-len(g.args)]...)
		}
	}
}
