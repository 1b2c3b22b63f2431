import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Security;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERBMPString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.pkcs.AuthenticatedSafe;
import org.bouncycastle.asn1.pkcs.ContentInfo;
import org.bouncycastle.asn1.pkcs.EncryptedData;
import org.bouncycastle.asn1.pkcs.EncryptedPrivateKeyInfo;
import org.bouncycastle.asn1.pkcs.MacData;
import org.bouncycastle.asn1.pkcs.PBES2Parameters;
import org.bouncycastle.asn1.pkcs.PBKDF2Params;
import org.bouncycastle.asn1.pkcs.PKCS12PBEParams;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.Pfx;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.pkcs.SafeBag;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.crypto.ExtendedDigest;
import org.bouncycastle.crypto.digests.SHA1Digest;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.OutputEncryptor;
import org.bouncycastle.pkcs.PKCS12PfxPduBuilder;
import org.bouncycastle.pkcs.PKCS12SafeBag;
import org.bouncycastle.pkcs.PKCS12SafeBagBuilder;
import org.bouncycastle.pkcs.bc.BcPKCS12MacCalculatorBuilder;
import org.bouncycastle.pkcs.jcajce.JcePKCSPBEOutputEncryptorBuilder;
import org.bouncycastle.util.encoders.Base64;

/**
 * Looks at the algorithms of PFX files, and writes files of any mixture of
 * them. Arguments are words in base64.
 *
 *   profile FILE   -> mac DIGEST ITERATIONS SALT ; data ; key ALGORITHM ; encrypted ALGORITHM
 *                     where ALGORITHM is an OID, iterations, octets of salt,
 *                     for PBES2 also the PRF and the cipher
 *   mixed KEY CERTIFICATES MAC PASSWORD ALIAS PKCS8 CERTIFICATE...   -> FILE
 *                     where KEY and CERTIFICATES are OIDs of ciphers, MAC SHA-1 or SHA-256
 */
public class PFXProfile {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                String[] q = line.split(" ");
                answer = q[0].equals("profile") ? profile(Base64.decode(q[1])) : mixed(q);
            } catch (Throwable e) {
                answer = "error " + e.toString().replaceAll("\\s+", " ");
            }
            out.println(answer);
        }
    }

    static String text(String word) {
        return new String(Base64.decode(word), StandardCharsets.UTF_8);
    }

    static String profile(byte[] file) throws Exception {
        Pfx pfx = Pfx.getInstance(file);
        MacData mac = pfx.getMacData();
        StringBuilder out = new StringBuilder("mac " + mac.getMac().getAlgorithmId().getAlgorithm() + " " + mac.getIterationCount() + " " + mac.getSalt().length);
        byte[] safes = ASN1OctetString.getInstance(pfx.getAuthSafe().getContent()).getOctets();
        for (ContentInfo info : AuthenticatedSafe.getInstance(safes).getContentInfo()) {
            if (info.getContentType().equals(PKCSObjectIdentifiers.encryptedData)) {
                out.append(" ; encrypted ").append(describe(EncryptedData.getInstance(info.getContent()).getEncryptionAlgorithm()));
                continue;
            }
            out.append(" ; data");
            for (Object bag : ASN1Sequence.getInstance(ASN1OctetString.getInstance(info.getContent()).getOctets())) {
                SafeBag b = SafeBag.getInstance(bag);
                if (!b.getBagId().equals(PKCSObjectIdentifiers.pkcs8ShroudedKeyBag)) {
                    return "error bag " + b.getBagId();
                }
                out.append(" ; key ").append(describe(EncryptedPrivateKeyInfo.getInstance(b.getBagValue()).getEncryptionAlgorithm()));
            }
        }
        return out.toString();
    }

    static String describe(AlgorithmIdentifier id) {
        if (!id.getAlgorithm().equals(PKCSObjectIdentifiers.id_PBES2)) {
            PKCS12PBEParams p = PKCS12PBEParams.getInstance(id.getParameters());
            return id.getAlgorithm() + " " + p.getIterations() + " " + p.getIV().length;
        }
        PBES2Parameters p = PBES2Parameters.getInstance(id.getParameters());
        PBKDF2Params kdf = PBKDF2Params.getInstance(p.getKeyDerivationFunc().getParameters());
        return id.getAlgorithm() + " " + kdf.getIterationCount() + " " + kdf.getSalt().length
            + " " + kdf.getPrf().getAlgorithm() + " " + p.getEncryptionScheme().getAlgorithm();
    }

    static OutputEncryptor encryptor(String oid, char[] password) throws Exception {
        return new JcePKCSPBEOutputEncryptorBuilder(new ASN1ObjectIdentifier(oid)).setProvider("BC").build(password);
    }

    static String mixed(String[] q) throws Exception {
        char[] password = text(q[4]).toCharArray();
        PKCS12SafeBagBuilder key = new PKCS12SafeBagBuilder(PrivateKeyInfo.getInstance(Base64.decode(q[6])), encryptor(text(q[1]), password));
        DEROctetString id = new DEROctetString(new byte[] {1, 2, 3});
        key.addBagAttribute(PKCS12SafeBag.friendlyNameAttribute, new DERBMPString(text(q[5])));
        key.addBagAttribute(PKCS12SafeBag.localKeyIdAttribute, id);
        PKCS12SafeBag[] certs = new PKCS12SafeBag[q.length - 7];
        for (int i = 0; i < certs.length; i++) {
            PKCS12SafeBagBuilder c = new PKCS12SafeBagBuilder(new X509CertificateHolder(Base64.decode(q[7 + i])));
            if (i == 0) {
                c.addBagAttribute(PKCS12SafeBag.localKeyIdAttribute, id);
            }
            certs[i] = c.build();
        }
        PKCS12PfxPduBuilder pfx = new PKCS12PfxPduBuilder();
        pfx.addData(key.build());
        pfx.addEncryptedData(encryptor(text(q[2]), password), certs);
        ExtendedDigest digest = text(q[3]).equals("SHA-1") ? new SHA1Digest() : new SHA256Digest();
        ASN1ObjectIdentifier oid = new ASN1ObjectIdentifier(text(q[3]).equals("SHA-1") ? "1.3.14.3.2.26" : "2.16.840.1.101.3.4.2.1");
        return Base64.toBase64String(pfx.build(new BcPKCS12MacCalculatorBuilder(digest, new AlgorithmIdentifier(oid, DERNull.INSTANCE)), password).getEncoded());
    }
}
