package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// credentialsDirectory is where the container finds its credentials, and $CREDENTIALS_DIRECTORY says so
// (https://systemd.io/CONTAINER_INTERFACE).
const credentialsDirectory = "/run/host/credentials"

const (
	// maxCredentials bounds all credentials of a container, in bytes, as systemd bounds those of a unit (systemd.exec(5)).
	maxCredentials = 1 << 20
	// credentialTimeout bounds how long a socket may take to send a credential.
	credentialTimeout = time.Minute
)

// loadCredentials reads what --load-credential= names and puts all credentials where only the container's root can read them, but
// see [Plan.credentialsForAll].
func (s *Supervisor) loadCredentials() error {
	var files []kernel.CredentialFile
	left := int64(maxCredentials)
	for _, credential := range s.plan.Options.Credentials {
		data, err := readCredential(credential, os.Getenv("CREDENTIALS_DIRECTORY"))
		if err != nil {
			return err
		}
		if left -= int64(len(data)); left < 0 {
			return fmt.Errorf("credential %s: all credentials together are larger than %d bytes", credential.ID, maxCredentials)
		}
		files = append(files, kernel.CredentialFile{Name: credential.ID, Data: data})
	}
	owner := int(s.plan.Users.Start)
	tree, err := kernel.NewCredentials(files, owner, owner, s.plan.credentialsForAll())
	if err != nil {
		return err
	}
	s.credentials = &tree
	for _, file := range files {
		clear(file.Data)
	}
	return nil
}

// readCredential returns the content of a credential. directory holds those that nspawn-exec got itself, if it got any.
func readCredential(credential settings.Credential, directory string) ([]byte, error) {
	name := credential.Source
	switch {
	case name == "":
		return credential.Value, nil
	case strings.Contains(name, "/"):
	case directory == "":
		return nil, fmt.Errorf("--load-credential=%s:%s: nspawn-exec got no credentials itself: $CREDENTIALS_DIRECTORY is not set", credential.ID, name)
	default:
		name = filepath.Join(directory, name)
	}
	data, err := kernel.ReadCredential(name, maxCredentials, credentialTimeout)
	if err != nil {
		return nil, fmt.Errorf("--load-credential=%s:%s: %w", credential.ID, credential.Source, err)
	}
	return data, nil
}
