import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.bouncycastle.crypto.digests.GOST3411Digest;
import org.bouncycastle.crypto.params.AsymmetricKeyParameter;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.signers.ECGOST3410Signer;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.util.encoders.Hex;

/**
 * Measures BouncyCastle through its lightweight interface, without the cost of
 * the JCA, and verify-jca with it. The questions and answers are else those of
 * engine.c; its head lists them. Whoever asks warms it up by asking the same for a while first.
 */
public class BouncyCastle {
    static final class Key {
        byte[] spki;
        byte[] digest;
        BigInteger r;
        BigInteger s;
        byte[] signature;
        AsymmetricKeyParameter publicKey;
        AsymmetricKeyParameter privateKey;
    }

    interface Operation {
        boolean run() throws Exception;
    }

    static final BouncyCastleProvider BC = new BouncyCastleProvider();
    static final SecureRandom RANDOM = new SecureRandom();
    static final Map<String, Key> KEYS = new HashMap<>();

    static boolean verify(Key k, AsymmetricKeyParameter publicKey) {
        ECGOST3410Signer signer = new ECGOST3410Signer();
        signer.init(false, publicKey);
        return signer.verifySignature(k.digest, k.r, k.s);
    }

    static BigInteger[] sign(Key k) {
        ECGOST3410Signer signer = new ECGOST3410Signer();
        signer.init(true, new ParametersWithRandom(k.privateKey, RANDOM));
        return signer.generateSignature(k.digest);
    }

    static String fixed(BigInteger v) {
        String hex = v.toString(16);
        return "0".repeat(64 - hex.length()) + hex;
    }

    static String measure(String milliseconds, Operation operation) throws Exception {
        long begin = System.nanoTime();
        long end = begin + Long.parseLong(milliseconds) * 1_000_000L;
        long operations = 0;
        long at;
        do {
            if (!operation.run()) {
                return "error operation";
            }
            operations++;
            at = System.nanoTime();
        } while (at < end);
        return operations + " " + (at - begin);
    }

    static String answer(String[] q) throws Exception {
        switch (q[0]) {
            case "key": {
                Key k = new Key();
                k.spki = Hex.decode(q[2]);
                k.publicKey = PublicKeyFactory.createKey(k.spki);
                k.privateKey = PrivateKeyFactory.createKey(Hex.decode(q[3]));
                k.digest = Hex.decode(q[4]);
                k.signature = Hex.decode(q[5]);
                k.s = new BigInteger(q[5].substring(0, 64), 16);
                k.r = new BigInteger(q[5].substring(64), 16);
                KEYS.put(q[1], k);
                return Boolean.toString(verify(k, k.publicKey) && verify(k, PublicKeyFactory.createKey(k.spki)));
            }
            case "signature": {
                BigInteger[] rs = sign(KEYS.get(q[1]));
                return fixed(rs[1]) + fixed(rs[0]);
            }
            case "verify": {
                Key k = KEYS.get(q[1]);
                return measure(q[2], () -> verify(k, k.publicKey));
            }
            case "verify-decoded": {
                Key k = KEYS.get(q[1]);
                return measure(q[2], () -> verify(k, PublicKeyFactory.createKey(k.spki)));
            }
            case "verify-jca": { // NAME MESSAGE MS, the message of DIGEST: as programs use it, hash and all
                Key k = KEYS.get(q[1]);
                byte[] message = Hex.decode(q[2]);
                return measure(q[3], () -> {
                    PublicKey key = KeyFactory.getInstance("ECGOST3410", BC).generatePublic(new X509EncodedKeySpec(k.spki));
                    Signature signature = Signature.getInstance("GOST3411WITHECGOST3410", BC);
                    signature.initVerify(key);
                    signature.update(message);
                    return signature.verify(k.signature);
                });
            }
            case "sign": {
                Key k = KEYS.get(q[1]);
                return measure(q[2], () -> sign(k).length == 2);
            }
            case "hash": {
                byte[] message = new byte[Integer.parseInt(q[1])];
                Arrays.fill(message, (byte) 1);
                byte[] out = new byte[32];
                GOST3411Digest digest = new GOST3411Digest();
                return measure(q[2], () -> {
                    digest.update(message, 0, message.length);
                    return digest.doFinal(out, 0) == 32;
                });
            }
            case "digest": {
                byte[] message = Hex.decode(q[1]);
                byte[] out = new byte[32];
                GOST3411Digest digest = new GOST3411Digest();
                digest.update(message, 0, message.length);
                digest.doFinal(out, 0);
                return Hex.toHexString(out);
            }
            default:
                return "error unknown question";
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        out.println("BouncyCastle " + BC.getVersionStr() + ", Java " + System.getProperty("java.version"));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String reply;
            try {
                reply = answer(line.split(" "));
            } catch (Exception e) {
                reply = "error " + e;
            }
            out.println(reply.replace('\n', ' ').replace('\r', ' '));
        }
    }
}
