package main_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The journey "images" opens encrypted and verified images with the device mapper, which not every kernel of a test machine
// has. Here a program stands in for it: it takes the arguments of cryptsetup(8), has the real one check what needs no device mapper,
// and makes a loop device of the plain data.
const mapper = `#!/bin/sh
exec 2>&1
echo "$(basename "$0") $*" >>"$TEST_LOG"
[ "$1" = open ] || { [ "$1 $2" = "close --deferred" ] && exec losetup --detach "$(readlink "/dev/mapper/$3")"; }
case $0 in
*veritysetup)
	[ -z "$TEST_SIGNATURE" ] || case $6 in *signature=/proc/self/fd/3) [ "$(cat <&3)" = "$TEST_SIGNATURE" ] || { echo no key; exit 1; } ;; esac
	"$TEST_REAL" verify "$2" "$4" "$5" || exit 1
	ln -sf "$(losetup --find --show --read-only "$2")" "/dev/mapper/$3" ;;
*)
	for word; do case $word in nspawnkit-*) name=$word ;; esac; done
	[ "$(cat; echo .)" = secret. ] || { echo "No key available with this passphrase."; exit 2; }
	ln -sf "$(losetup --find --show "$TEST_PLAIN")" "/dev/mapper/$name" ;;
esac
`

// newMapper puts the stand-in before all programs, and returns the file that its arguments are in.
func newMapper(t *testing.T, variables ...string) (path, log string, environment []string) {
	t.Helper()
	real, err := exec.LookPath("veritysetup")
	if err != nil {
		t.Fatal("veritysetup is missing: apt-get install cryptsetup-bin")
	}
	folder := t.TempDir()
	for _, name := range []string{"cryptsetup", "veritysetup"} {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(mapper), 0o755))
	}
	if os.Mkdir("/dev/mapper", 0o755) == nil {
		t.Cleanup(func() { must(t, os.RemoveAll("/dev/mapper")) })
	}
	t.Cleanup(func() {
		links, _ := filepath.Glob("/dev/mapper/nspawnkit-*")
		for _, link := range links {
			must(t, os.Remove(link))
		}
	})
	log = filepath.Join(folder, "log")
	return folder, log, append(variables, "PATH="+folder+":"+os.Getenv("PATH"), "TEST_LOG="+log, "TEST_REAL="+real)
}

func runMapped(t *testing.T, image string, environment []string, arguments ...string) result {
	t.Helper()
	cmd := onImage(nspawn("", arguments...), image)
	cmd.Env = environment
	r := finish(t, cmd)
	links, _ := filepath.Glob("/dev/mapper/nspawnkit-*")
	for _, link := range links {
		must(t, os.Remove(link))
	}
	return r
}

// verityImage makes an image, its hashes, and returns the root hash.
func verityImage(t *testing.T) (image, hashes, rootHash string) {
	t.Helper()
	image = newImage(t, "ext4", "web.raw")
	hashes = filepath.Join(t.TempDir(), "hashes")
	output := command(t, "veritysetup", "format", image, hashes)
	return image, hashes, regexp.MustCompile(`Root hash:\s*([0-9a-f]+)`).FindStringSubmatch(output)[1]
}

func TestVerity(t *testing.T) {
	image, hashes, rootHash := verityImage(t)
	wrong := strings.Repeat("ab", 32)
	beside := strings.TrimSuffix(image, ".raw")
	_, log, environment := newMapper(t, "TEST_SIGNATURE=sig")
	const script = "cat /etc/inside; touch /new 2>/dev/null || echo protected"
	check := func(name string, want bool, message string, options ...string) {
		t.Helper()
		_ = os.Remove(log)
		r := runMapped(t, image, environment, append(options, "/bin/sh", "-c", script)...)
		used, _ := os.ReadFile(log)
		if want && (r.stdout != "of the image\nprotected\n" || !strings.Contains(string(used), "veritysetup open /dev/loop") || !strings.Contains(string(used), "veritysetup close --deferred nspawnkit-")) {
			t.Errorf("%s: %q %s\n%s", name, r.stdout, r.stderr, used)
		}
		if !want {
			refused(t, r, message)
		}
		waitNoLoops(t, image)
	}
	check("options", true, "", "--root-hash="+rootHash, "--verity-data="+hashes)
	check("users", true, "", "--root-hash="+rootHash, "--verity-data="+hashes, "--private-users=no")
	check("wrong hash", false, "veritysetup open", "--root-hash="+wrong, "--verity-data="+hashes)
	check("no data", false, "--verity-data= is missing", "--root-hash="+rootHash)
	check("no hash", false, "--root-hash= is missing", "--verity-data="+hashes)
	check("no such data", false, "no such file", "--root-hash="+rootHash, "--verity-data=/none")
	check("needed", false, "must be verity", "--image-policy=root=verity")
	check("policy", true, "", "--image-policy=root=verity", "--root-hash="+rootHash, "--verity-data="+hashes)
	signature := filepath.Join(t.TempDir(), "signature")
	writeFile(t, signature, "sig")
	check("signature", true, "", "--image-policy=root=signed", "--root-hash="+rootHash, "--verity-data="+hashes, "--root-hash-sig="+signature)
	check("literal signature", true, "", "--image-policy=root=signed", "--root-hash="+rootHash, "--verity-data="+hashes, "--root-hash-sig=base64:c2ln")
	check("wrong signature", false, "no key", "--image-policy=root=signed", "--root-hash="+rootHash, "--verity-data="+hashes, "--root-hash-sig=base64:AAAA")
	check("tolerated signature", true, "", "--root-hash="+rootHash, "--verity-data="+hashes, "--root-hash-sig=base64:AAAA")
	check("no such signature", false, "missing or empty", "--root-hash="+rootHash, "--verity-data="+hashes, "--root-hash-sig=/none")

	command(t, "cp", hashes, beside+".verity")
	check("data beside", true, "", "--root-hash="+rootHash)
	writeFile(t, beside+".roothash", rootHash+"\n")
	check("all beside", true, "", "--image-policy=root=verity")
	writeFile(t, beside+".roothash.p7s", "sig")
	check("signature beside", true, "", "--image-policy=root=signed")
	writeFile(t, beside+".roothash", "xyz")
	check("bad file", false, "root hash: not hexadecimal")
	must(t, unix.Setxattr(image, "user.verity.roothash", []byte(rootHash), 0))
	check("attribute", true, "", "--image-policy=root=signed")
	must(t, unix.Setxattr(image, "user.verity.roothash", []byte(wrong), 0))
	check("attribute before file", false, "veritysetup open")
	must(t, os.Remove(beside+".roothash"))
	check("option before attribute", true, "", "--root-hash="+rootHash)
	refused(t, run(t, newRoot(t, "tree"), "--root-hash="+rootHash, "/bin/true"), "--root-hash is for disk images")
}

// Partitions whose UUIDs are the halves of the root hash, and one with a signature, are used without a word.
func TestVerityPartitions(t *testing.T) {
	root, data := newTrees(t)
	must(t, os.Mkdir(root+"/home", 0o755))
	plain := filepath.Join(t.TempDir(), "plain")
	makeFileSystem(t, "ext4", plain, root)
	hashes := filepath.Join(t.TempDir(), "hashes")
	output := command(t, "veritysetup", "format", plain, hashes)
	rootHash := regexp.MustCompile(`Root hash:\s*([0-9a-f]+)`).FindStringSubmatch(output)[1]
	uuid := func(digits string) string {
		return fmt.Sprintf(", uuid=%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
	}
	const verityPart, signaturePart = "type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "type=41092b05-9fc8-4523-994f-2def0408b176"
	image := newDisk(t, filepath.Join(t.TempDir(), "disk.raw"), "gpt", section{rootX86 + uuid(rootHash[:32]), "", ""},
		section{verityPart + uuid(rootHash[32:]), "", ""}, section{signaturePart, "", ""}, section{homePart, "ext4", data})
	json := filepath.Join(t.TempDir(), "json")
	writeFile(t, json, `{"rootHash":"`+rootHash+`","certificateFingerprint":"`+hex.EncodeToString(make([]byte, 32))+`","signature":"c2ln"}`)
	for i, file := range []string{plain, hashes, json} {
		command(t, "dd", "if="+file, "of="+image, "bs=1M", fmt.Sprint("seek=", 1+i*sectionSize), "conv=notrunc", "status=none")
	}
	_, _, environment := newMapper(t, "TEST_SIGNATURE=sig")
	for _, options := range [][]string{{"--image-policy=root=signed:home=open"}, {"--root-hash=" + rootHash}} {
		r := runMapped(t, image, environment, append(options, "/bin/sh", "-c", "cat /etc/inside /home/data; touch /new 2>/dev/null || echo protected; touch /home/new")...)
		if r.stdout != "of the image\ndata\nprotected\n" || r.status != 0 {
			t.Errorf("%q: %q %s", options, r.stdout, r.stderr)
		}
		cleanImage(t, image)
	}
	refused(t, runMapped(t, image, environment, "--root-hash="+strings.Repeat("ab", 32), "/bin/true"), "no partition has the UUID")
}

// encryptedImage makes an encrypted image, whose password is "secret", and the plain one that is in it.
func encryptedImage(t *testing.T) (image, plain string) {
	t.Helper()
	plain = newImage(t, "ext4", "plain")
	image = emptyDisk(t, filepath.Join(t.TempDir(), "web.raw"), 32)
	format := exec.Command("cryptsetup", "luksFormat", "--batch-mode", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", "--key-file=-", image)
	format.Stdin = strings.NewReader("secret")
	if output, err := format.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return image, plain
}

// The password is asked for on the terminal, again if it is wrong.
func TestPasswordOnTerminal(t *testing.T) {
	image, plain := encryptedImage(t)
	_, _, environment := newMapper(t, "TEST_PLAIN="+plain)
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	defer terminal.Close()
	must(t, unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	must(t, err)
	peer, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	defer peer.Close()
	cmd := onImage(nspawn("", "/bin/cat", "/etc/inside"), image)
	cmd.Env, cmd.Stdin = environment, peer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	go func() {
		var seen strings.Builder
		buffer := make([]byte, 1024)
		for _, answer := range []string{"wrong\n", "secret\n"} {
			for asked := strings.Count(seen.String(), "passphrase"); strings.Count(seen.String(), "passphrase") == asked; {
				n, err := terminal.Read(buffer)
				if err != nil {
					return
				}
				seen.Write(buffer[:n])
			}
			time.Sleep(300 * time.Millisecond) // what is typed before the terminal is set up is thrown away
			_, _ = terminal.WriteString(answer)
		}
	}()
	if r := finish(t, cmd); r.stdout != "of the image\n" {
		t.Errorf("%q %s", r.stdout, r.stderr)
	}
	waitNoLoops(t, image)
}

func TestEncrypted(t *testing.T) {
	image, plain := encryptedImage(t)
	credentials := t.TempDir()
	folder, log, environment := newMapper(t, "TEST_PLAIN="+plain, "CREDENTIALS_DIRECTORY="+credentials)
	check := func(name, message string, options ...string) {
		t.Helper()
		_ = os.Remove(log)
		r := runMapped(t, image, environment, append(options, "/bin/cat", "/etc/inside")...)
		used, _ := os.ReadFile(log)
		if message == "" && (r.stdout != "of the image\n" || !strings.Contains(string(used), "cryptsetup close --deferred nspawnkit-")) {
			t.Errorf("%s: %q %s\n%s", name, r.stdout, r.stderr, used)
		}
		if message != "" {
			refused(t, r, message)
		}
		waitNoLoops(t, image)
	}
	check("nothing", "there is no terminal to ask")
	check("nobody", "--no-ask-password is given", "--no-ask-password")
	writeFile(t, credentials+"/dissect.passphrase", "secret")
	check("key file", "")
	check("policy", "must be unprotected", "--image-policy=root=unprotected")
	check("encrypted by policy", "", "--image-policy=root=encrypted")
	check("file system by policy", "must have xfs", "--image-policy=root=encrypted+xfs")
	writeFile(t, credentials+"/dissect.passphrase", "secret\n")
	check("password", "", "--private-users=no")
	writeFile(t, credentials+"/dissect.passphrase", "wrong")
	check("wrong", "--no-ask-password is given", "--no-ask-password")
	must(t, os.Remove(folder+"/cryptsetup"))
	environment = append(environment, "PATH=/none")
	if _, err := os.Stat("/usr/sbin/cryptsetup"); err != nil {
		check("missing", "install cryptsetup")
	}
}
