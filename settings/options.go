package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// option is an option of the command line: that of a [Key], or one of its own.
type option struct {
	long  string
	short byte
	topic string // of --help=TOPIC
	arg   Argument
	meta  string // the argument, for people
	words string // words that the argument can be, with spaces between, beside those of meta
	help  string // one line; empty: not listed
	whole bool   // may not be abbreviated: systemd-nspawn's abbreviations keep their meaning

	pending bool // has no effect yet but in a form that has another name now
	secret  bool // the argument is nobody else's business: not shown, not recorded

	key *Key
	set func(*CommandLine, value) error // without key; nil: known, but not supported yet
}

// String returns the option as the user writes it.
func (o *option) String() string {
	if o.long == "" {
		return "-" + string(rune(o.short))
	}
	return "--" + o.long
}

// options are the options of systemd-nspawn(1) 262 that have no key, and ours.
var options = [...]option{
	{long: "help", short: 'h', topic: "general", arg: OptionalArgument, meta: "TOPIC", words: topicWords, help: "Show an overview, or all options of a topic", set: takeHelp},
	{long: "version", topic: "general", arg: NoArgument, help: "Print version string", set: func(c *CommandLine, v value) error { c.Version = true; return nil }},
	{long: "quiet", short: 'q', topic: "general", arg: NoArgument, help: "Do not show status information", set: func(c *CommandLine, v value) error { c.Quiet = true; return nil }},
	{long: "no-pager", topic: "general", arg: NoArgument, help: "Do not pipe output into a pager", set: nothingToDo},
	{long: "no-ask-password", topic: "general", arg: NoArgument, help: "Do not prompt for password", set: func(c *CommandLine, v value) error { c.NoAskPassword = true; return nil }},
	{long: "settings", topic: "general", meta: "BOOL|override|trusted", help: "Load additional settings from .nspawn file", set: takeSettings},
	{long: "cleanup", topic: "general", arg: NoArgument, help: "Clean up left-over mounts and underlying mount points", set: func(c *CommandLine, v value) error { c.Cleanup = true; return nil }},
	{long: "dry-run", topic: "general", arg: NoArgument, whole: true, help: "Print the steps of start and end, do nothing", set: func(c *CommandLine, v value) error { c.DryRun = true; return nil }},

	{long: "directory", short: 'D', topic: "image", meta: "PATH", help: "Root directory for the container", set: takeDirectory},
	{long: "machine", short: 'M', topic: "identity", meta: "NAME", help: "Set the machine name for the container", set: takeMachine},
	{long: "template", topic: "image", meta: "PATH", help: "Initialize root directory from template directory, if missing", set: takeTemplate},
	{long: "image", short: 'i', topic: "image", meta: "PATH", help: "Root file system disk image (or device node) for the container", set: takeImage},
	{long: "image-policy", topic: "image", meta: "POLICY", help: "Specify disk image dissection policy", set: takeImagePolicy},
	{long: "mstack", topic: "image", meta: "PATH", help: "Root directory from a mount stack", set: takeStack},
	{long: "oci-bundle", topic: "image", meta: "PATH", help: "OCI bundle directory", set: takeBundle},
	{long: "root-hash", topic: "image", meta: "HASH", help: "Specify verity root hash for root disk image", set: takeRootHash},
	{long: "root-hash-sig", topic: "image", meta: "SIG", help: "Specify pkcs7 signature of root hash for verity (a path or base64:DATA)", set: takeRootHashSignature},
	{long: "verity-data", topic: "image", meta: "PATH", help: "Specify hash device for verity", set: takeVerityData},

	{long: "keep-unit", topic: "properties", arg: NoArgument, help: "Do not register a scope for the machine, reuse the service unit nspawn is running in", set: func(c *CommandLine, v value) error { c.KeepUnit = true; return nil }},
	{long: "register", topic: "properties", meta: "BOOL|auto", help: "Register container as machine", set: takeRegister},
	{long: "slice", short: 'S', topic: "properties", meta: "SLICE", help: "Place the container in the specified slice", set: takeSlice},
	{long: "property", topic: "properties", meta: "NAME=VALUE", help: "Set scope unit property", set: takeProperty},
	{long: "console", topic: "console", meta: "MODE", words: consoleModes, help: "Select how stdin/stdout/stderr and /dev/console are set up for the container", set: takeConsole},
	{long: "pipe", short: 'P', topic: "console", arg: NoArgument, help: "Equivalent to --console=pipe", set: func(c *CommandLine, v value) error { c.Console = "pipe"; return nil }},
	{long: "background", topic: "console", meta: "COLOR", help: "Set ANSI color for background", set: takeBackground},

	{short: 'U', topic: "users", arg: NoArgument, help: "Equivalent to --private-users=pick --private-users-ownership=auto", set: takeU},
	{short: 'j', topic: "integration", arg: NoArgument, help: "Equivalent to --link-journal=try-guest", set: takeJ},
	{long: "rlimit", topic: "resources", meta: "NAME=LIMIT", help: "Set a resource limit for the payload", set: takeLimit},
	{long: "private-users-chown", topic: "users", arg: NoArgument, set: takeChown},
	{long: "selinux-context", short: 'Z', topic: "security", meta: "CONTEXT", help: "Set the SELinux security context of processes in the container",
		set: func(c *CommandLine, v value) error { return takeContext(&c.SELinuxContext, v) }},
	{long: "selinux-apifs-context", short: 'L', topic: "security", meta: "CONTEXT", help: "Set the SELinux security context of files in API and temporary file systems",
		set: func(c *CommandLine, v value) error { return takeContext(&c.SELinuxAPIFSContext, v) }},
	{long: "bind-user-group", topic: "mounts", meta: "GROUP", help: "Add an auxiliary group to --bind-user= users", set: takeBindUserGroup},
	{long: "forward-journal", topic: "integration", meta: "PATH", help: "Forward the container's journal to the host", set: takeForwardJournal},
	{long: "forward-journal-max-use", topic: "integration", meta: "BYTES", help: "Maximum disk space for forwarded journal",
		set: func(c *CommandLine, v value) error { return takeJournalSize(c, v, "max-use") }},
	{long: "forward-journal-keep-free", topic: "integration", meta: "BYTES", help: "Minimum disk space to keep free",
		set: func(c *CommandLine, v value) error { return takeJournalSize(c, v, "keep-free") }},
	{long: "forward-journal-max-file-size", topic: "integration", meta: "BYTES", help: "Maximum size of individual journal files",
		set: func(c *CommandLine, v value) error { return takeJournalSize(c, v, "max-file-size") }},
	{long: "forward-journal-max-files", topic: "integration", meta: "NUMBER", help: "Maximum number of journal files to keep", set: takeJournalFiles},
	{long: "load-credential", topic: "credentials", meta: "ID:PATH", help: "Load a credential to pass to the container from a file", set: takeLoadCredential},
	{long: "set-credential", topic: "credentials", meta: "ID:VALUE", help: "Pass a credential with literal value to the container", secret: true, set: takeSetCredential},
	{long: "system", topic: "general", arg: NoArgument, help: "Run in the system service manager scope", set: nothingToDo},
	{long: "user", topic: "general", arg: NextArgument, pending: true, help: "Run in the service manager of the user", set: takeScopeOrUser},
}

// eachOption yields the options of the keys, then the others.
func eachOption(yield func(option) bool) {
	for i := range keys {
		k := &keys[i]
		if k.Option == "" {
			continue
		}
		if !yield(option{long: k.Option, short: k.Short, topic: k.topic, arg: k.Argument, meta: k.Type, words: k.words, help: k.Help, key: k}) {
			return
		}
	}
	for i := range options {
		if !yield(options[i]) {
			return
		}
	}
}

// nothingToDo is for options that ask for what is always so here: no pager, the system manager.
func nothingToDo(*CommandLine, value) error { return nil }

func takeSettings(c *CommandLine, v value) error {
	if enabled, err := parseBool(v.text); err == nil {
		c.Settings = SettingsNo
		if enabled {
			c.Settings = SettingsYes
		}
		return nil
	}
	switch mode := Mode(v.text); mode {
	case SettingsOverride, SettingsTrusted:
		c.Settings = mode
		return nil
	}
	return errors.New("not a boolean, override or trusted")
}

func takeDirectory(c *CommandLine, v value) error { return takePath(&c.Directory, v) }

func takeTemplate(c *CommandLine, v value) error { return takePath(&c.Template, v) }

func takeStack(c *CommandLine, v value) error { return takePath(&c.Stack, v) }

func takeBundle(c *CommandLine, v value) error { return takePath(&c.Bundle, v) }

func takeMachine(c *CommandLine, v value) error {
	if v.text != "" && !ValidMachineName(v.text) {
		return errors.New("invalid machine name")
	}
	c.Machine = v.text
	return nil
}

// takeScopeOrUser takes the name that "--user=" had for "--uid=" before systemd 258. Without a user it asks for the user's service manager.
func takeScopeOrUser(c *CommandLine, v value) error {
	if v.text == "" {
		return errors.New("containers of a user's own service manager are not supported yet: run it as root without this option; " +
			"the user of the command is --uid=NAME")
	}
	return c.add(lookup("Exec", "User"), v)
}

func takeRegister(c *CommandLine, v value) error {
	if v.text == "auto" {
		c.Register = "auto"
		return nil
	}
	enabled, err := parseBool(v.text)
	c.Register = "no"
	if enabled {
		c.Register = "yes"
	}
	return err
}

// takeSlice takes a slice of systemd.slice(5), with or without its suffix.
func takeSlice(c *CommandLine, v value) error {
	name := strings.TrimSuffix(v.text, ".slice")
	for _, r := range name {
		if r > 0x7f || !isLetterOrDigit(byte(r)) && !strings.ContainsRune(`:-_.\`, r) {
			return errors.New("not the name of a slice")
		}
	}
	if name == "" || len(name) > 240 {
		return errors.New("not the name of a slice")
	}
	c.Slice = name + ".slice"
	return nil
}

// takeBackground takes parameters of SGR (ECMA-48, 8.3.117); none of them: no color.
func takeBackground(c *CommandLine, v value) error {
	if leading(v.text, "0123456789;") != v.text {
		return errors.New("not an ANSI color such as 44 or 48;2;0;0;64")
	}
	c.Background = &v.text
	return nil
}

func takeConsole(c *CommandLine, v value) error {
	if c.ListConsoles = v.text == "help"; c.ListConsoles {
		return nil
	}
	return setOneOf(&c.Console, v.text, consoleModes)
}

const consoleModes = "interactive read-only passive pipe autopipe"

// ConsoleModes returns the modes of --console=.
func ConsoleModes() []string { return strings.Fields(consoleModes) }

func takeU(c *CommandLine, v value) error {
	if err := c.add(lookup("Exec", "PrivateUsers"), value{"pick", v.origin}); err != nil {
		return err
	}
	return c.add(lookup("Files", "PrivateUsersOwnership"), value{"auto", v.origin})
}

func takeJ(c *CommandLine, v value) error {
	return c.add(lookup("Exec", "LinkJournal"), value{"try-guest", v.origin})
}

// takeChown takes the old name of --private-users-ownership=chown.
func takeChown(c *CommandLine, v value) error {
	return c.add(lookup("Files", "PrivateUsersOwnership"), value{"chown", v.origin})
}

// maxContext bounds a context: the kernel takes a page of one.
const maxContext = 4095

// takeContext takes a security context of SELinux, USER:ROLE:TYPE and with most policies :LEVEL. Which there are the policy knows.
func takeContext(context *string, v value) error {
	parts := strings.SplitN(v.text, ":", 4)
	if len(parts) < 3 || slices.Contains(parts, "") || strings.Contains(v.text, " ") || hasControl(v.text) || len(v.text) > maxContext {
		return errors.New("not an SELinux context such as system_u:system_r:svirt_lxc_net_t:s0:c0,c1")
	}
	*context = v.text
	return nil
}

// takeBindUserGroup takes the name of a group that the users of --bind-user= are members of.
func takeBindUserGroup(c *CommandLine, v value) error {
	if err := checkUserName(v.text); err != nil {
		return fmt.Errorf("%s is not the name of a group", printable(v.text))
	}
	if !slices.Contains(c.BindUserGroups, v.text) {
		c.BindUserGroups = append(c.BindUserGroups, v.text)
	}
	return nil
}

// takeLimit takes NAME=LIMIT of --rlimit=, with or without "RLIMIT_" before the name.
func takeLimit(c *CommandLine, v value) error {
	name, limit, found := strings.Cut(v.text, "=")
	if !found {
		return errors.New("not an assignment")
	}
	key := lookup("Exec", "Limit"+strings.TrimPrefix(strings.TrimPrefix(name, "RLIMIT_"), "Limit"))
	if key == nil {
		return fmt.Errorf("unknown resource limit %s", printable(name))
	}
	if limit == "" {
		return errors.New("limit is empty")
	}
	return c.add(key, value{limit, v.origin})
}
