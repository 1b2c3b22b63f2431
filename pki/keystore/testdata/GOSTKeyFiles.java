import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.pkcs.EncryptedPrivateKeyInfo;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.crypto.digests.GOST3411Digest;
import org.bouncycastle.crypto.engines.GOST28147Engine;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.params.ParametersWithSBox;
import org.bouncycastle.util.encoders.Base64;
import org.bouncycastle.util.encoders.Hex;

/**
 * YKS files and QR keys with BouncyCastle's cipher and digest and with Java's
 * own data streams. Arguments and answers are words in base64, "-" is nothing.
 *
 *   write OID PASSWORD SALT ALIAS CREATED PKCS8 CERTIFICATE...   -> FILE
 *   read PASSWORD FILE   -> ALIAS CREATED PKCS8 CERTIFICATE... [; ...]
 *   qr PASSWORD CURVE D  -> hexadecimal text
 *   utf TEXT             -> what writeUTF makes of it, without the length
 */
public class GOSTKeyFiles {
    static final byte[] SBOX = GOST28147Engine.getSBox("D-A");

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = answer(line.split(" "));
            } catch (Throwable e) {
                answer = "error " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static byte[] bytes(String word) {
        return word.equals("-") ? new byte[0] : Base64.decode(word);
    }

    static String text(String word) {
        return new String(bytes(word), StandardCharsets.UTF_8);
    }

    static String word(byte[] b) {
        return b.length == 0 ? "-" : Base64.toBase64String(b);
    }

    static String answer(String[] q) throws Exception {
        switch (q[0]) {
            case "write":
                return write(q);
            case "read":
                return read(password(q[1]), bytes(q[2]));
            case "qr":
                return qr(text(q[1]).getBytes(StandardCharsets.US_ASCII), Integer.parseInt(text(q[2])), bytes(q[3]));
            case "utf":
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                new DataOutputStream(out).writeUTF(text(q[1]));
                return word(Arrays.copyOfRange(out.toByteArray(), 2, out.size()));
            default:
                return "error unknown question";
        }
    }

    static byte[] password(String word) {
        return text(word).getBytes(StandardCharsets.UTF_16BE);
    }

    static byte[] hash(byte[]... parts) {
        GOST3411Digest d = new GOST3411Digest(SBOX);
        for (byte[] p : parts) {
            d.update(p, 0, p.length);
        }
        byte[] out = new byte[32];
        d.doFinal(out, 0);
        return out;
    }

    static byte[] crypt(boolean encrypt, byte[] key, byte[] in) {
        GOST28147Engine engine = new GOST28147Engine();
        engine.init(encrypt, new ParametersWithSBox(new KeyParameter(key), SBOX));
        byte[] out = new byte[in.length];
        for (int i = 0; i < in.length; i += 8) {
            engine.processBlock(in, i, out, i);
        }
        return out;
    }

    static byte[] stretch(byte[] password, byte[] salt) {
        byte[] key = hash(password, salt);
        for (int i = 0; i < 999; i++) {
            key = hash(password, salt, key);
        }
        return key;
    }

    static byte[] seal(String oid, byte[] password, byte[] salt, byte[] pkcs8) throws Exception {
        int pad = 8 - pkcs8.length % 8;
        byte[] padded = Arrays.copyOf(pkcs8, pkcs8.length + pad);
        for (int i = 0; i < pad; i++) {
            padded[pkcs8.length + i] = (byte) (i + 1);
        }
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.write(salt);
        data.write(crypt(true, stretch(password, salt), padded));
        data.write(hash(password, pkcs8));
        return new EncryptedPrivateKeyInfo(new AlgorithmIdentifier(new ASN1ObjectIdentifier(oid), DERNull.INSTANCE), data.toByteArray()).getEncoded();
    }

    static byte[] open(byte[] password, byte[] der) throws Exception {
        EncryptedPrivateKeyInfo info = EncryptedPrivateKeyInfo.getInstance(der);
        if (!info.getEncryptionAlgorithm().getAlgorithm().getId().equals("1.2.860.3.2.10.1") || !DERNull.INSTANCE.equals(info.getEncryptionAlgorithm().getParameters())) {
            throw new IllegalArgumentException("another cipher");
        }
        byte[] data = info.getEncryptedData();
        byte[] padded = crypt(false, stretch(password, Arrays.copyOf(data, 32)), Arrays.copyOfRange(data, 32, data.length - 32));
        byte[] plain = Arrays.copyOf(padded, padded.length - padded[padded.length - 1]);
        if (!Arrays.equals(hash(password, plain), Arrays.copyOfRange(data, data.length - 32, data.length))) {
            throw new IllegalArgumentException("checksum");
        }
        return plain;
    }

    static byte[] trailer(byte[] password, byte[] body) {
        return hash(password, "The IT Crowd".getBytes(StandardCharsets.US_ASCII), body);
    }

    static String write(String[] q) throws Exception {
        byte[] password = password(q[2]);
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(body);
        out.writeInt(0xFEEDBEEF);
        out.writeInt(2);
        out.writeInt(2);
        out.writeInt(1);
        out.writeUTF(text(q[4]));
        out.writeLong(Long.parseLong(text(q[5])));
        byte[] key = seal(text(q[1]), password, bytes(q[3]), bytes(q[6]));
        out.writeInt(key.length);
        out.write(key);
        out.writeInt(q.length - 7);
        for (int i = 7; i < q.length; i++) {
            certificate(out, bytes(q[i]));
        }
        // The last certificate once more, as a trusted one.
        out.writeInt(2);
        out.writeUTF("trusted");
        out.writeLong(0);
        certificate(out, bytes(q[q.length - 1]));
        body.write(trailer(password, body.toByteArray()));
        return word(body.toByteArray());
    }

    static void certificate(DataOutputStream out, byte[] der) throws Exception {
        out.writeUTF("X.509");
        out.writeInt(der.length);
        out.write(der);
    }

    static String read(byte[] password, byte[] file) throws Exception {
        byte[] body = Arrays.copyOf(file, file.length - 32);
        if (!Arrays.equals(trailer(password, body), Arrays.copyOfRange(file, file.length - 32, file.length))) {
            return "wrong password";
        }
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(body));
        if (in.readInt() != 0xFEEDBEEF || in.readInt() != 2) {
            return "error no YKS file";
        }
        StringBuilder out = new StringBuilder();
        int count = in.readInt();
        for (int i = 0; i < count; i++) {
            if (in.readInt() != 1) {
                return "error an entry that is no key";
            }
            out.append(i > 0 ? " ; " : "").append(word(in.readUTF().getBytes(StandardCharsets.UTF_8)))
                .append(' ').append(in.readLong()).append(' ').append(word(open(password, in.readNBytes(in.readInt()))));
            for (int n = in.readInt(); n > 0; n--) {
                if (!in.readUTF().equals("X.509")) {
                    return "error certificate type";
                }
                out.append(' ').append(word(in.readNBytes(in.readInt())));
            }
        }
        return in.available() > 0 ? "error more behind the entries" : out.toString();
    }

    static String qr(byte[] password, int curve, byte[] d) {
        byte[] key = hash(password);
        for (int i = 0; i < 999; i++) {
            key = hash(key);
        }
        byte[] plain = Arrays.copyOf(d, 64);
        System.arraycopy(hash(d), 0, plain, 32, 32);
        byte[] payload = new byte[68];
        payload[0] = (byte) 0xE7;
        payload[1] = 0x31;
        payload[2] = 1;
        payload[3] = (byte) curve;
        System.arraycopy(crypt(true, key, plain), 0, payload, 4, 64);
        return Hex.toHexString(payload);
    }
}
